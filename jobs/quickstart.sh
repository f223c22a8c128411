#!/usr/bin/env bash
# The paper's experiment in a minute, on what is made here: no download, no compiler, no account.
#
#   bash jobs/quickstart.sh
#
# Makes the environment (tools/setup.sh; the first time that takes longer) and a twin experiment on 2 MPI ranks: soil
# columns that stand in for CoLM run for ten days without and with assimilation of images of another nature, whose truth
# is known. It goes on where it was interrupted; its settings are quickstart/twin.toml.
set -euo pipefail

cd "$(dirname -- "${BASH_SOURCE[0]}")/.."
bash tools/setup.sh
. tools/env.sh

settings=quickstart/twin.toml
twin=quickstart/twin_quick
if [ ! -e "$settings" ]; then
    mkdir -p quickstart
    python -m imgda_mpi init "$settings" --twin quick > /dev/null
fi
run_ranks 2 python -m mpi4py -m imgda_mpi twin "$settings"
python -m imgda_mpi report "$twin" > /dev/null

cat <<END

What was done: a nature, with other soils, rain and start than the model's, gave the truth and images of 0-10 cm with
errors. The model ran from one restart without them (control) and, for each variant, corrected by an image every 6 hours
for six days; then all ran freely for four. Only the surface was observed: what is gained deeper came there by the model.

What to look at
  $PWD/$twin/report.html   one page: what it did in a minute's reading, maps, scores in time, what was corrected
  $PWD/$twin/report/       its pictures as PNG and PDF, and the numbers behind each as CSV
  $PWD/$twin/scores.csv    all scores; propagation.csv: how corrections reach the depth

From here to your own CoLM case
  one restart and one image: imgda_mpi init case.toml --model colm202x --observation gldas
                             imgda_mpi check case.toml && run_ranks 2 imgda_mpi analyse case.toml
  cycles around your CoLM:   README.md, "Cycle around your CoLM"
  this twin on your grid:    [case] kind = "colm202x" in a copy of $settings
  (export PATH="$PWD/bin:\$PATH" first: it has imgda_mpi and run_ranks)
END
