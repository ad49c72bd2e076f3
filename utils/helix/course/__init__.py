"""The machinery of the course: catalogue, build, workspace, tests, command line. It knows no chapter."""
