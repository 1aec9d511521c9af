# packages.sh - installs what demo and test need on Debian and its children; to be sourced.
#
# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# shellcheck disable=SC2034 # the lists are used by the scripts that source this

build_packages=(
    gcc libc6-dev meson ninja-build pkg-config python3
    libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev
    ocl-icd-opencl-dev libprotobuf-c-dev protobuf-c-compiler libonnx-dev
)
run_packages=(
    gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good
    gstreamer1.0-plugins-bad gstreamer1.0-libav ocl-icd-libopencl1
)
# A portrait and two clips are in python3-imageio.
demo_packages=(python3-imageio python3-numpy python3-pil)
test_packages=(
    git binutils libjson-glib-dev pocl-opencl-icd
    python3-imageio python3-numpy python3-pil
)
# Without these some tests are skipped.
test_extra_packages=(
    libonnx-testdata python3-onnx valgrind clang-format-14 shellcheck oclgrind qemu-user
    python3-gi gir1.2-gstreamer-1.0
)

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

# Of the packages given, those that are not installed, one a line.
missing_packages() {
    local package
    for package; do
        dpkg-query -W -f '${db:Status-Status}\n' "$package" 2> /dev/null | grep -qx installed ||
            echo "$package"
    done
}

# Installs what is missing of the packages given, without a question.
install_packages() {
    local missing
    if ! command -v dpkg-query > /dev/null || ! command -v apt-get > /dev/null; then
        echo "No apt here: these Debian packages, or what your system calls them, are needed: $*"
        return 0
    fi
    mapfile -t missing < <(missing_packages "$@")
    [ "${#missing[@]}" -gt 0 ] || return 0
    echo "Installing ${missing[*]}"
    # The lists may be old or absent; that they cannot be fetched matters only if installing fails.
    as_root apt-get -qq update || true
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends \
        -o Dpkg::Use-Pty=0 install "${missing[@]}" > /dev/null
}

# PoCL computes on the CPU, for machines without a driver for their GPU.
install_opencl_driver() {
    if ! compgen -G '/etc/OpenCL/vendors/*.icd' > /dev/null; then
        install_packages pocl-opencl-icd
    fi
}
