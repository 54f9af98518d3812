#!/usr/bin/env bash
# Writes control_pb2.py, its stubs and its service code beside the .proto files, or into the
# folder given. A test compares the committed files with a fresh run.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$(dirname "$here")}
"${PYTHON:-python}" -m grpc_tools.protoc -I "$(dirname "$here")" \
  --python_out="$out" --pyi_out="$out" --grpc_python_out="$out" protos/control.proto
