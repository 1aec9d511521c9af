/* cl-memory.c - preloaded into any program: how much memory its OpenCL buffers took at most.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * At the program's end the file that CLMATTE_MEMORY_LOG names gets one line, in bytes: what lies on
 * the device (weights, activations, frames), and the host's memory that devices read and write
 * directly (CL_MEM_ALLOC_HOST_PTR). Programs and what the driver takes for itself do not count.
 */
#define _GNU_SOURCE
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct {
    size_t now_b, most_b;
} Account;

typedef struct {
    Account *account;
    size_t size_b;
} Entry;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static Account device, host;

static void CL_CALLBACK forget(cl_mem memory, void *data)
{
    Entry *entry = data;
    (void)memory;
    pthread_mutex_lock(&lock);
    entry->account->now_b -= entry->size_b;
    pthread_mutex_unlock(&lock);
    free(entry);
}

static void add(cl_mem memory, Account *account, size_t size_b)
{
    Entry *entry = malloc(sizeof *entry);
    if (!entry)
        return;
    *entry = (Entry){ account, size_b };
    pthread_mutex_lock(&lock);
    account->now_b += size_b;
    if (account->now_b > account->most_b)
        account->most_b = account->now_b;
    pthread_mutex_unlock(&lock);
    clSetMemObjectDestructorCallback(memory, forget, entry);
}

cl_mem clCreateBuffer(cl_context context, cl_mem_flags flags, size_t size_b, void *bytes,
                      cl_int *status)
{
    __typeof__(&clCreateBuffer) real =
        (__typeof__(&clCreateBuffer))dlsym(RTLD_NEXT, "clCreateBuffer");
    cl_mem memory = real(context, flags, size_b, bytes, status);
    if (memory)
        add(memory, flags & CL_MEM_ALLOC_HOST_PTR ? &host : &device, size_b);
    return memory;
}

__attribute__((destructor)) static void tell(void)
{
    const char *name = getenv("CLMATTE_MEMORY_LOG");
    FILE *file = name && (device.most_b || host.most_b) ? fopen(name, "w") : NULL;
    if (!file)
        return;
    fprintf(file, "%zu %zu\n", device.most_b, host.most_b);
    fclose(file);
}
