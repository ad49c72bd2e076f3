"""The machinery of the course: catalogue, build, navigation, progress, workspace, tests, command line. It knows no chapter."""
