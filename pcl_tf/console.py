"""What the commands print: results and errors, not the chatter of libraries."""

import os

from absl import flags, logging


def quiet():
    """Leaves out INFO lines of Python libraries, unless --verbosity asks for them.

    Some C++ lines at the import of TensorFlow cannot be turned off (tensorflow issue 100442).
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if not flags.FLAGS["verbosity"].present:
        logging.set_verbosity(logging.WARNING)
