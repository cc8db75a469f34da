"""Checks an ONNX model and runs it in onnxruntime, for TestONNXRuntime and TestExportONNX: run_onnx.py MODEL IMAGES OUT

IMAGES holds float32 of (N, C, H, W); OUT gets the outputs' float32, one after another. Prints what the model says of itself, as JSON.
"""
import json, sys

import numpy, onnx, onnxruntime

model, images, out = sys.argv[1:]
onnx.checker.check_model(model, full_check=True)
session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
i, = session.get_inputs()
x = numpy.fromfile(images, numpy.float32).reshape([-1] + i.shape[1:])
with open(out, "wb") as f:
    for y in session.run(None, {i.name: x}):
        f.write(y.astype(numpy.float32).tobytes())
print(json.dumps({"input": [i.name, i.type, i.shape], "outputs": [[o.name, o.type, o.shape] for o in session.get_outputs()],
                  "metadata": session.get_modelmeta().custom_metadata_map}))
