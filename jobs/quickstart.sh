#!/usr/bin/env bash
# The method at work in a minute, on an example that is made here: no download, no compiler, no account.
#
#   bash jobs/quickstart.sh
#
# Makes the environment (tools/setup.sh; the first time that takes longer), writes a synthetic CoLM202X case with an
# observed image into quickstart/case, corrects its soil moisture on 2 MPI ranks, and compares background and analysis
# with the truth that was withheld from both. Run it again after editing quickstart/case/case.toml.
set -euo pipefail

cd "$(dirname -- "${BASH_SOURCE[0]}")/.."
bash tools/setup.sh
. tools/env.sh

case=quickstart/case
analysis=$case/analysis
if [ ! -e "$case/case.toml" ]; then
    # Without its settings file the case is a half-written one.
    rm -rf "$case"
    python -m imgda_mpi example "$case"
fi
rm -rf "$analysis"
run_ranks 2 python -m mpi4py -m imgda_mpi analyse "$case/case.toml"
python -m imgda_mpi report "$analysis" --truth "$case/truth.nc"

here=$(pwd -P)/$analysis
echo
echo "restart to go on from  $here/restart"
echo "diagnostics            $here/diagnostics.nc"
echo "figure                 $here/figure.png"
