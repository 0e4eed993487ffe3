#!/usr/bin/env bash
# python_test.sh PYTHON PROGRAM LIBRARY: tests the package's sources with the built program and library.
# Exit code 77, which ctest reports as skipped, where PYTHON has no numpy.
set -euo pipefail
python=$1
here=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
if ! "$python" -c 'import numpy'; then
  echo "python_test: SKIPPED: $python cannot import numpy; install python3-numpy"
  exit 77
fi
export TRIVIUM_PROGRAM=$2 TRIVIUM_LIBRARY=$3
export PYTHONPATH=$here/../../../../src/core/api/python PYTHONDONTWRITEBYTECODE=1
exec "$python" "$here/test_trivium.py"
