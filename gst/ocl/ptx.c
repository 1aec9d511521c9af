/* ptx.c - instructions that NVIDIA's OpenCL compiler would refuse, through its own front door.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The driver compiles OpenCL C to PTX for .target sm_90 and assembles that. Hopper's warpgroup
 * products exist for .target sm_90a only. A kernel therefore writes them in inline assembly behind
 * OCL_PTX_HIDDEN, which begins a comment: the compiler fills in the operands and passes the line
 * on. The PTX that comes out is changed here to name the other target and to show the instructions;
 * the driver takes it as a binary. Seen with driver 580.
 */
#include "internal.h"

#include <string.h>

#define OCL_PTX_HIDDEN "//@"
#define TARGET ".target sm_90"

char *ocl_ptx_reveal(const char *ptx)
{
    const char *target = strstr(ptx, TARGET);
    if (!target || !strstr(ptx, OCL_PTX_HIDDEN))
        return NULL;
    const char *rest = target + strlen(TARGET);
    GString *text = g_string_new_len(ptx, rest - ptx);
    g_string_append(text, *rest == 'a' ? "" : "a");
    g_string_append(text, rest);
    g_string_replace(text, OCL_PTX_HIDDEN, "", 0);
    return g_string_free(text, FALSE);
}
