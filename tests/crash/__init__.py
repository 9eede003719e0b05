import warnings

# The PostgreSQL of the tests looks for a runtime folder that containers do not have.
warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
