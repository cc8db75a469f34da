#!/usr/bin/env python3
"""Writes a network's state_dict as lines NAME DIMS, for interop's tests: python3 names.py googlenet > ../../interop/testdata/googlenet.names.txt"""
import sys

from common import build

for name, v in build(sys.argv[1]).state_dict().items():
    print(name, "x".join(map(str, v.shape)) or "scalar")
