# shellcheck shell=bash disable=SC2154
# Part of tools/setup.sh --tests: a browser in which the tests open pages. Where it cannot be had, these are skipped.

provide_browser() {
    local packages=(chromium chromium-driver)
    ! { command -v chromium && command -v chromedriver; } >"$log" || return 0
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        say "no browser here: its tests will be skipped (they want ${packages[*]}, which root can install)"
        return
    fi
    say "installing ${packages[*]}"
    # One that fails ends its subshell alone.
    (
        quietly apt-get -qq update
        quietly env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${packages[@]}"
    ) || say "the tests in a browser will be skipped"
}
