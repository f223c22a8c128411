# shellcheck shell=bash disable=SC2154
# Part of tools/setup.sh --tests: a SLURM and a Cylc, on which the job scripts are tried, and a browser, in which pages are
# opened. Where they cannot be had, these tests are skipped, and nothing else is missing.

# Cylc has an environment of its own: its packages have nothing to do with ours.
cylc_environment=$imgda_environment/cylc

has_slurm() (
    PATH=$PATH:/usr/sbin
    for name in slurmctld slurmd munged sbatch srun rsync; do
        command -v "$name" >"$log" || exit
    done
)

has_cylc() { "$cylc_environment/bin/cylc" version >"$log" 2>&1; }

has_browser() { { command -v chromium && command -v chromedriver; } >"$log"; }

# What it is, and its packages: of root alone, who can start jobs too.
install_packages() {
    local what=$1
    shift
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        say "no $what here: its tests will be skipped (they want root and $*)"
        return
    fi
    say "installing $*"
    # One that fails ends its subshell alone.
    (
        quietly apt-get -qq update
        quietly env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@"
    ) || say "the tests of $what will be skipped"
}

install_cylc() {
    say "installing Cylc"
    (
        quietly python -m venv --clear "$cylc_environment"
        quietly "$cylc_environment/bin/python" -m pip install -qq --disable-pip-version-check "cylc-flow>=8.5,<9"
    ) || say "the tests of Cylc will be skipped"
}

provide_for_tests() {
    has_slurm || install_packages SLURM slurmctld slurmd slurm-client munge rsync
    has_cylc || install_cylc
    has_browser || install_packages browser chromium chromium-driver
}
