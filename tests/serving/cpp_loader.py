"""Loads a SavedModel by TensorFlow's C++ loader, the one TF Serving links, through its C interface. Runs by itself.

python cpp_loader.py FOLDER_OF_TENSORFLOW'S_LIBRARIES SAVEDMODEL INPUT_OPERATION OUTPUT_OPERATION OUTPUT_INDEX IMAGE..

Prints the output as JSON rows, or 'CODE MESSAGE' of TensorFlow's status with exit code 1.
"""

import ctypes
import json
import sys
from ctypes import POINTER, byref, c_char_p, c_int, c_int64, c_size_t, c_void_p

FLOAT, STRING, SIZE_OF_TSTRING = 1, 7, 24


class Output(ctypes.Structure):
    """TF_Output."""

    _fields_ = [("operation", c_void_p), ("index", c_int)]


def library(folder):
    """Both libraries as one namespace of functions with the signatures used here."""
    framework = ctypes.CDLL(f"{folder}/libtensorflow_framework.so.2", ctypes.RTLD_GLOBAL)
    cc = ctypes.CDLL(f"{folder}/libtensorflow_cc.so.2", ctypes.RTLD_GLOBAL)
    signatures = {
        "TF_NewStatus": (c_void_p,),
        "TF_GetCode": (c_int, c_void_p),
        "TF_Message": (c_char_p, c_void_p),
        "TF_NewGraph": (c_void_p,),
        "TF_NewSessionOptions": (c_void_p,),
        "TF_LoadSessionFromSavedModel": (
            *(c_void_p, c_void_p, c_void_p, c_char_p, POINTER(c_char_p), c_int, c_void_p, c_void_p, c_void_p),
        ),
        "TF_GraphOperationByName": (c_void_p, c_void_p, c_char_p),
        "TF_AllocateTensor": (c_void_p, c_int, POINTER(c_int64), c_int, c_size_t),
        "TF_TensorData": (c_void_p, c_void_p),
        "TF_Dim": (c_int64, c_void_p, c_int),
        "TF_StringInit": (None, c_void_p),
        "TF_StringCopy": (None, c_void_p, c_char_p, c_size_t),
        "TF_SessionRun": (
            *(None, c_void_p, c_void_p, POINTER(Output), POINTER(c_void_p), c_int),
            *(POINTER(Output), POINTER(c_void_p), c_int, c_void_p, c_int, c_void_p, c_void_p),
        ),
    }
    for name, (result, *arguments) in signatures.items():
        function = getattr(cc, name, None) or getattr(framework, name)
        function.restype, function.argtypes = result, arguments
        setattr(cc, name, function)
    return cc


def main(folder, export, input_name, output_name, index, *images):
    """Runs one request."""
    tf = library(folder)
    status = tf.TF_NewStatus()

    def check():
        if tf.TF_GetCode(status):
            print(tf.TF_GetCode(status), tf.TF_Message(status).decode())
            sys.exit(1)

    graph, tags = tf.TF_NewGraph(), (c_char_p * 1)(b"serve")
    options = tf.TF_NewSessionOptions()
    session = tf.TF_LoadSessionFromSavedModel(options, None, export.encode(), tags, 1, graph, None, status)
    check()
    strings = tf.TF_AllocateTensor(STRING, (c_int64 * 1)(len(images)), 1, len(images) * SIZE_OF_TSTRING)
    for i, path in enumerate(images):
        with open(path, "rb") as f:
            data = f.read()
        at = tf.TF_TensorData(strings) + i * SIZE_OF_TSTRING
        tf.TF_StringInit(at)
        tf.TF_StringCopy(at, data, len(data))
    source = Output(tf.TF_GraphOperationByName(graph, input_name.encode()), 0)
    target = Output(tf.TF_GraphOperationByName(graph, output_name.encode()), int(index))
    fed, fetched = c_void_p(strings), c_void_p()
    tf.TF_SessionRun(
        session, None, byref(source), byref(fed), 1, byref(target), byref(fetched), 1, None, 0, None, status
    )
    check()
    rows, width = tf.TF_Dim(fetched, 0), tf.TF_Dim(fetched, 1)
    values = ctypes.cast(tf.TF_TensorData(fetched), POINTER(ctypes.c_float))
    print(json.dumps([values[i * width : (i + 1) * width] for i in range(rows)]))
    assert "tensorflow" not in sys.modules and "pcl_tf" not in sys.modules


if __name__ == "__main__":
    main(*sys.argv[1:])
