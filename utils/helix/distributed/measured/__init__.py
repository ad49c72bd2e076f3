"""What is measured on ranks or read from a meter, and the record that lets somebody repeat it.

Bytes sent (`counting`, those of DTensor too), what a rank holds and what autograd keeps (`memory_per_rank`, `saved`; first
`return_freed_pages`, or glibc hides what was freed), α and β of a message (`messages`), `critical_batch` and `energy`.
`run_record` refuses a run that nobody could repeat.
"""
