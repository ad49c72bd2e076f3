"""One module a lab: what is asked, the cases, the misconceptions, the hints. Imported without torch."""
