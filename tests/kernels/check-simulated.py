#!/usr/bin/env python3
# check-simulated.py - a few small cases of the kernels, of networks and of video, on Oclgrind's
# simulated device, which sees what a real one hides: data races, values that nobody has written,
# accesses outside of buffers and wrong calls of the API.
#
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# check-simulated.py GROUP WHOLE_WRITES FOLDER; FOLDER holds the tests' programs. A case fails if its
# results are wrong or if Oclgrind reports anything. The device is the least that a GPU offers: 32 KiB
# of local memory, work-groups of 256, no extension.
#
# Data races are looked for in what the compiler's optimiser leaves. Uninitialised values need code
# that is not optimised: Oclgrind 21.10 knows no `freeze` instruction. It crashes over vectors that
# are put together from parts (shufflevector with undefined lanes), so the cases with those are in
# the first kind of group alone.
import os
import shutil
import subprocess
import sys
import tempfile

FOR_GPUS = '''
Conv-13 (f:1,5,6,7 f:4,5,3,3 f:4) pads=1,1,1,1 conv_general plain fp16
Conv-13 (f:1,5,9,4 !f:2,5,1,1)  conv_vector scaled fp16
Conv-13 (f:1,40,9,7 !f:12,40,1,1 !f:12)  conv_tiled plain fp16
Conv-13 (f:1,19,9,8 !f:35,19,1,1)  conv_tiled:64x32 plain fp16
Conv-13 (f:1,20,3,5 !f:9,20,1,1)  conv_tiled plain fp16
Conv-13 (f:1,8,9,7 !f:1,8,3,3 !f:1) pads=1,1,1,1 conv_few scaled fp16
Conv-13 (f:1,16,9,13 !f:16,1,3,3 !f:16) group=16 pads=1,1,1,1 conv_depthwise scaled fp16
ConvTranspose-13 (f:1,2,4,5 !f:2,1,2,2) group=2 strides=3,4 conv_fir_up plain fp16
Conv-13 (f:1,3,5,6,7 !f:6,3,3,2,3 !f:6) pads=1,0,2,0,1,1 strides=1,2,1 dilations=1,1,2 any plain fp16
MaxPool-12 (f:1,16,9,7) kernel_shape=2,2 strides=2,2 ceil_mode=1 pool_general plain fp16
MaxPool-12 (f:1,16,9,7) kernel_shape=2,2 strides=2,2 ceil_mode=1 pool_vector plain fp16
MaxPool-12 (f:1,16,9,7) kernel_shape=2,2 strides=2,2 ceil_mode=1 pool_wide plain fp16
MaxPool-12 (f:2,3,9) kernel_shape=2, storage_order=1 any plain fp16
MaxPool-12 (f:1,3,5,6,7) kernel_shape=2,2,2 storage_order=1 any plain fp16
GlobalMaxPool-13 (f:1,16,5,3)  reduce_general plain fp16
GlobalLpPool-13 (f:1,16,5,3) p=2 reduce_columns plain fp16
Add-13 (f:1,19,5,7 f:1,19,1,1)  elementwise_general sliced fp16
Add-13 (f:1,16,5,7 f:1,16,5,7)  elementwise_rows plain fp16
Add-13 (f:1,16,5,7 f:1,16,5,7)  elementwise_wide plain fp16
Div-13 (l[-9,9]:40 l[-3,3]:40)  any plain fp32
Cast-13 (f[-300,300]:33) to=7 any plain fp16
ReduceMean-13 (f:1,19,5,7) axes=1, keepdims=0 reduce_general plain fp16
ReduceL2-13 (f:1,8,9,9) axes=2,3 reduce_columns plain fp16
ReduceL2-13 (f:1,8,9,9) axes=2,3 reduce_group plain fp16
ArgMax-13 (f:1,19,5,7) axis=1 any plain fp16
CumSum-14 (f:3,20,2 !sl=1)  any plain fp16
Softmax-13 (f[-9,9]:3,40)  any plain fp16
MatMul-13 (f:5,7 f:7,17)  matmul_general plain fp16
MatMul-13 (f:5,7 f:7,17)  matmul_vector plain fp16
BatchNormalization-13 (f:1,19,5,3 f:19 f:19 f:19 f[1,2]:19)  any plain fp16
LRN-13 (f:1,19,5,7) size=5 alpha=0.1 any plain fp16
Resize-13 (f:1,3,5,7 - - !l=1,3,11,3) mode=linear coordinate_transformation_mode=align_corners resize_axis plain fp16
Resize-13 (f:1,3,5,7 - - !l=1,3,11,3) mode=linear coordinate_transformation_mode=align_corners resize_map plain fp16
Resize-13 (f:1,16,5,7 - !f=1,1,3,2) mode=cubic resize_wide plain fp16
Resize-13 (f:1,1,9,7 - - !l=1,1,17,14) mode=linear resize_joined sides fp16
Pad-13 (f:1,3,4,5 !l=0,0,2,2,0,0,1,3) mode=reflect any plain fp16
Reshape-13 (f:1,6,5,7 !l=1,35,6)  any plain fp16
Trilu-14 (f:2,5,6) upper=0 any plain fp16
Gather-13 (f:6,5 l[-6,5]:2,3)  any plain fp16
GatherND-13 (f:4,5,6 l[-4,3]:3,2)  any plain fp16
ScatterElements-18 (f:6,5 l[-6,5]:9,5 f:9,5) reduction=add any plain fp16
ScatterND-18 (f:6,5 l[-6,5]:4,1 f:4,5) reduction=mul any plain fp16
OneHot-13 (l[-4,5]:3,2 !sl=4 !f=-1,2)  any plain fp32
DynamicQuantizeLinear-13 (f[-1,3]:40)  any plain fp16
ConvInteger-13 (B[0,255]:1,6,6,7 !B[0,255]:4,3,3,3 - !sB=99) group=2 strides=2,2 any plain fp32
MatMulInteger-13 (B[0,255]:5,7 c[-128,127]:7,9 !sB=9 !c=1,2,3,4,5,6,7,8,9)  any plain fp32
TopK-11 (f:3,4,37 !l=5)  any plain fp16
Einsum-12 (f:5,4,5) equation=iji->j any plain fp16
GridSample-16 (f:2,5,6,7 f[-1.3,1.3]:2,4,3,2)  any plain fp16
'''

# With vectors put together from parts; and conv_narrow, which sends all pixels of its last chunk
# through the activation, those behind the map, which are not stored, too.
FOR_GPUS_MORE = '''
Conv-13 (f:1,300,3,2 !f:19,300,1,1)  conv_tiled:split plain fp32
Conv-13 (f:1,40,9,7 !f:8,40,1,1 !f:8)  conv_few plain fp32
AveragePool-11 (f:1,24,9,7) kernel_shape=3,3 strides=2,2 ceil_mode=1 pads=1,1,1,1 pool_wide plain fp32
Conv-13 (f:1,5,9,4 !f:2,5,1,1)  conv_narrow scaled fp16
Conv-13 (f:1,16,9,13 !f:16,1,3,3 !f:16) group=16 pads=1,1,1,1 conv_depthwise_wide plain fp16
Conv-13 (f:1,8,3,2 !f[0.25,0.25]:8,1,5,8) group=8 pads=4,7,4,7 conv_fir plain fp16
MatMul-13 (f:1,100 !f:100,64)  matmul_wide plain fp16
Gemm-13 (f:3,70 !f:48,70 !f:48) transB=1 alpha=0.5 beta=2.0 matmul_wide plain fp32
InstanceNormalization-13 (f:1,16,5,3 !f:16 !f:16) epsilon=0.01 norm_parts_general plain fp16
InstanceNormalization-13 (f:1,16,5,3 !f:16 !f:16) epsilon=0.01 norm_parts_columns plain fp16
InstanceNormalization-13 (f:1,16,5,3 !f:16 !f:16) epsilon=0.01 norm_parts_wide plain fp16
InstanceNormalization-13 (f:1,16,5,3 !f:16 !f:16) epsilon=0.01 norm_whole plain fp16
'''

# Kernels that like large work-groups, on a device without: smaller ones or other kernels take over.
LARGE_GROUPS = '''
Conv-13 (f:1,40,9,7 !f:12,40,1,1 !f:12)  conv_tiled plain fp16
Conv-13 (f:1,40,9,7 !f:8,40,1,1 !f:8)  conv_few plain fp16
MatMul-13 (f:1,100 !f:100,64)  matmul_wide plain fp16
InstanceNormalization-13 (f:1,16,5,3 !f:16 !f:16) epsilon=0.01 norm_parts_wide plain fp16
InstanceNormalization-13 (f:1,16,5,3 !f:16 !f:16) epsilon=0.01 norm_whole plain fp16
'''

# On CPUs local memory is a work-item's own.
FOR_CPUS = '''
Conv-13 (f:1,7,5,31 !f:5,7,3,3)  conv_staged plain fp16
Conv-13 (f:1,48,4,3 !f:7,48,3,3 !f:7) pads=1,1,1,1 conv_winograd plain fp16
Conv-13 (f:1,48,4,3 !f:7,48,3,3 !f:7) pads=1,1,1,1 conv_winograd_fused plain fp16
Conv-13 (f:1,16,9,4 !f:4,16,1,1)  conv_pointwise scaled fp16
Conv-13 (f:1,24,6,3 !f:24,1,3,3 !f:24) group=24 strides=1,2 pads=1,1,1,1 conv_depthwise_rows plain fp16
Conv-13 (f:1,16,1,5 !f:72,16,1,1 !f:72)  conv_expanded expanded fp16
Conv-13 (f:1,21,8,9 !f:3,21,1,1 !f:3)  conv_expanded expanded fp32
Conv-13 (f:1,5,13,2 !f:5,1,3,3 !f:5) group=5 pads=1,1,1,1 conv_separable separable fp16
Conv-13 (f:1,3,1,1 !f:7,3,1,1)  conv_points separable fp16
GlobalLpPool-13 (f:1,16,5,3) p=2 reduce_whole plain fp16
'''
# The program of tests/video and the test. Those of the first two lists are not optimised when races
# are looked for, either: optimised, their kernel of structs returned by value holds intrinsics that
# Oclgrind does not know. Those of the last take too long for that.
VIDEO = '''
test-video-totensor the same size is a copy
test-video-totensor channels are normalised in the model's order
test-video-fromtensor the foreground colour replaces the frame's at the edge only
test-video-compose the matte alone is gray
test-video-compose a translucent colour gives straight alpha
test-video-compose logits become alpha
test-video-compose an image covers the background
'''
VIDEO_BLUR = '''
test-video-compose a blur blurs
'''
VIDEO_MORE = '''
test-video-totensor a letterbox keeps the shape and is black around
test-video-totensor the brightest value of each frame becomes one
test-video-compose erosion and feather move the edge as told
test-video-compose refinement of an even matte changes nothing
test-video-facepaste small faces are softened
test-video-facepaste a face that is no longer itself stays as it was
test-video-tiles padding is opaque
'''

# A hint by a function of the compiler's, which Oclgrind does not know.
NO_HINTS = '-D__builtin_prefetch(...)=((void)0)'
RACES = {'OCLGRIND_DATA_RACES': '1', 'OCLGRIND_BUILD_OPTIONS': NO_HINTS}
UNINITIALIZED = {'OCLGRIND_UNINITIALIZED': '1', 'OCLGRIND_BUILD_OPTIONS': '-O0 ' + NO_HINTS}
# 1 MiB, as PoCL's: a ring of rows is larger than a GPU's local memory.
CPU = {'OCLGRIND_LOCAL_MEM_SIZE': str(1 << 20)}
GROUPS = {
    'gpu-races': (RACES, 'generic', FOR_GPUS + FOR_GPUS_MORE),
    'gpu-values': (UNINITIALIZED, 'generic', FOR_GPUS),
    'small-groups': ({**RACES, 'OCLGRIND_MAX_WGSIZE': '64'}, 'generic', LARGE_GROUPS),
    'cpu-races': ({**RACES, **CPU}, 'cpu', FOR_CPUS),
    'cpu-values': ({**UNINITIALIZED, **CPU}, 'cpu', FOR_CPUS),
    'video-races': (RACES, None, VIDEO_MORE),
    'video-blur': ({**RACES, 'OCLGRIND_BUILD_OPTIONS': '-O0'}, None, VIDEO_BLUR),
    'video-values': ({**RACES, **UNINITIALIZED}, None, VIDEO),
}


def find_library():
    """The simulator as a driver for the OpenCL loader; None if there is none."""
    command = shutil.which('oclgrind')
    if not command:
        return None
    prefix = os.path.dirname(os.path.dirname(os.path.realpath(command)))
    for folder in ('lib/oclgrind', 'lib', 'lib64'):
        path = os.path.join(prefix, folder, 'liboclgrind-rt-icd.so')
        if os.path.exists(path):
            return path
    return None


def run(arguments, more, whole_writes, library):
    """Runs a test's program on the simulated device; returns its status, its text and the
    simulator's."""
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, 'oclgrind.icd'), 'w') as file:
            file.write(library + '\n')
        log = os.path.join(folder, 'log')
        # No cache of binaries: it goes by the options that we give, which do not hold Oclgrind's.
        environment = {**os.environ, 'OCL_ICD_VENDORS': folder, 'XDG_CACHE_HOME': '/dev/null',
                       'LD_PRELOAD': whole_writes, 'OCLGRIND_LOG': log, 'OCLGRIND_CHECK_API': '1',
                       'OCLGRIND_MAX_ERRORS': '20', 'OCLGRIND_NUM_THREADS': '1',
                       'OCLGRIND_LOCAL_MEM_SIZE': str(32 << 10), 'OCLGRIND_MAX_WGSIZE': '256',
                       **more}
        result = subprocess.run(arguments, env=environment, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, errors='replace')
        reports = ''
        if os.path.exists(log):
            with open(log, errors='replace') as file:
                reports = file.read()
        return result.returncode, result.stdout, reports


def command_of(folder, device_class, name):
    if device_class:
        return [os.path.join(folder, 'test-kernels'), '--class', device_class, '--samples', '1',
                '--filter', name]
    program, _, test = name.partition(' ')
    return [os.path.join(folder, program), '-p', f'/video/{test}']


def main():
    group, whole_writes, folder = sys.argv[1:]
    library = find_library()
    if not library:
        print('1..0 # SKIP needs Oclgrind (Debian: oclgrind)')
        return 0
    more, device_class, cases = GROUPS[group]
    names = [line for line in cases.splitlines() if line]
    print(f'1..{len(names)}')
    n_failed = 0
    # One by one: what Oclgrind knows of freed memory, it takes for that of what is there next.
    for number, name in enumerate(names, 1):
        status, text, reports = run(command_of(folder, device_class, name), more, whole_writes,
                                    library)
        if status < 0:
            text += f'ended by signal {-status}\n'
        good = status == 0 and not reports.strip() and '\nok 1 ' in '\n' + text
        n_failed += not good
        print('ok' if good else 'not ok', number, '-', name, flush=True)
        for line in (text + reports).splitlines() if not good else []:
            print('#', line, flush=True)
    return 1 if n_failed else 0


sys.exit(main())
