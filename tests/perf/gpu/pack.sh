#!/usr/bin/env bash
# Packs a folder that runs on a bare x86-64 GPU host without package sources: the plugin, the test
# tools and the parts of GStreamer that they need, taken from this machine's Debian packages.
#
# Usage: tests/perf/gpu/pack.sh BUILD_DIR OUT_DIR [FILE...]    FILEs (models, clips) go along.
# There: . OUT_DIR/env.sh && gst-launch-1.0 ...
set -euo pipefail
build=$1 out=$2
shift 2

packages=(gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good
  libgstreamer1.0-0 libgstreamer-plugins-base1.0-0 libglib2.0-0 liborc-0.4-0 libpcre2-8-0 libffi8
  libmount1 libselinux1 libblkid1 zlib1g libdw1 libelf1 libunwind8 libcap2 libgraphene-1.0-0
  libpng16-16 libjpeg62-turbo libvpx7 libbz2-1.0 libdebuginfod1 liblzma5 ocl-icd-libopencl1
  libprotobuf-c1 libjson-glib-1.0-0)

rm -rf "$out"
mkdir -p "$out/root" "$out/bin" "$out/plugins" "$out/files" "$out/debs"
(cd "$out/debs" && apt-get download "${packages[@]}" >/dev/null)
for deb in "$out"/debs/*.deb; do dpkg-deb -x "$deb" "$out/root"; done
rm -rf "$out/debs" "$out"/root/usr/share "$out"/root/etc
cp "$build"/gst/libgst*.so "$out/plugins/" 2>/dev/null || true
find "$build/tests" -maxdepth 2 -type f -executable ! -name '*.so*' -exec cp {} "$out/bin/" \;
cp "$build/tests/perf/cl-memory.so" "$out/bin/"
strip --strip-debug "$out"/bin/* "$out"/plugins/* 2>/dev/null || true
[ $# -eq 0 ] || cp "$@" "$out/files/"

cat >"$out/env.sh" <<'ENV'
# Source this: paths to the packed GStreamer and to the host's own NVIDIA OpenCL driver.
pack=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
lib=$pack/root/usr/lib/x86_64-linux-gnu
export LD_LIBRARY_PATH=$lib:$pack/root/lib/x86_64-linux-gnu${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export PATH=$pack/root/usr/bin:$pack/bin:$PATH
export GST_PLUGIN_SYSTEM_PATH_1_0=$lib/gstreamer-1.0 GST_PLUGIN_PATH_1_0=$pack/plugins
export GST_PLUGIN_SCANNER=$lib/gstreamer1.0/gstreamer-1.0/gst-plugin-scanner
export GST_REGISTRY=/tmp/clmatte-registry.bin XDG_CACHE_HOME=/tmp/clmatte-cache
mkdir -p /tmp/clmatte-icd
driver=$(ldconfig -p | awk '/libnvidia-opencl.so.1/ {print $NF; exit}')
[ -n "$driver" ] || driver=$(find / -name 'libnvidia-opencl.so.1' -not -path '/proc/*' 2>/dev/null | head -n 1)
echo "$driver" >/tmp/clmatte-icd/nvidia.icd
export OCL_ICD_VENDORS=/tmp/clmatte-icd
ENV
du -sh "$out"
