/* device.c - tests of choosing and sharing devices; runs with two devices of PoCL.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "harness.h"

#include <CL/cl_ext.h>
#include <string.h>

static void disguise(guint n_device, cl_device_type type, const char *name)
{
    fakecl_override_device(n_device, CL_DEVICE_TYPE, &type, sizeof type);
    fakecl_override_device(n_device, CL_DEVICE_NAME, name, strlen(name) + 1);
}

static void add_tensor_cores(guint n_device)
{
    const char extensions[] = "cl_khr_fp64 cl_nv_device_attribute_query";
    cl_uint major = 9, minor = 0;
    fakecl_override_device(n_device, CL_DEVICE_EXTENSIONS, extensions, sizeof extensions);
    fakecl_override_device(n_device, CL_DEVICE_COMPUTE_CAPABILITY_MAJOR_NV, &major, sizeof major);
    fakecl_override_device(n_device, CL_DEVICE_COMPUTE_CAPABILITY_MINOR_NV, &minor, sizeof minor);
}

static void assert_opens(const char *spec, const char *name)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(OclDevice) device = ocl_device_open(spec, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(device->name, ==, name);
    g_assert_true(ocl_device_matches(device, spec));
}

static void assert_refused(const char *spec)
{
    g_autoptr(GError) error = NULL;
    g_assert_null(ocl_device_open(spec, &error));
    g_assert_error(error, OCL_ERROR, OCL_ERROR_NO_DEVICE);
    g_assert_nonnull(strstr(error->message, spec));
    g_assert_nonnull(strstr(error->message, "0:1 "));
}

static void auto_takes_the_gpu(void)
{
    disguise(0, CL_DEVICE_TYPE_CPU, "Slow");
    disguise(1, CL_DEVICE_TYPE_GPU, "Fast");
    assert_opens("auto", "Fast");
    assert_opens(NULL, "Fast");
    assert_opens("", "Fast");
}

static void auto_takes_the_accelerator_before_the_cpu(void)
{
    disguise(0, CL_DEVICE_TYPE_CPU, "Slow");
    disguise(1, CL_DEVICE_TYPE_ACCELERATOR, "Odd");
    assert_opens("auto", "Odd");
    assert_opens("accelerator", "Odd");
}

static void auto_takes_tensor_cores_first(void)
{
    disguise(0, CL_DEVICE_TYPE_GPU, "Integrated");
    disguise(1, CL_DEVICE_TYPE_GPU, "Tensor");
    add_tensor_cores(1);
    assert_opens("auto", "Tensor");
    g_autoptr(OclDevice) device = ocl_device_open("auto", NULL);
    g_assert_cmpuint(device->compute_capability, ==, 90);
    g_assert_cmpint(device->device_class, ==, OCL_CLASS_NVIDIA);
}

static void auto_passes_over_what_has_no_compiler(void)
{
    cl_bool no = CL_FALSE;
    disguise(0, CL_DEVICE_TYPE_CPU, "Whole");
    disguise(1, CL_DEVICE_TYPE_GPU, "Half");
    fakecl_override_device(1, CL_DEVICE_COMPILER_AVAILABLE, &no, sizeof no);
    assert_opens("auto", "Whole");
    assert_refused("gpu");
}

static void every_form_of_a_name_works(void)
{
    disguise(0, CL_DEVICE_TYPE_GPU, "First GeForce");
    disguise(1, CL_DEVICE_TYPE_GPU, "Second GeForce");
    assert_opens("gpu", "First GeForce");
    assert_opens("GPU:1", "Second GeForce");
    assert_opens("0:1", "Second GeForce");
    assert_opens("geforce", "First GeForce");
    assert_opens("second", "Second GeForce");
    assert_opens("portable", "First GeForce");
}

static void a_device_that_is_not_there_is_an_error_with_a_list(void)
{
    disguise(0, CL_DEVICE_TYPE_CPU, "One");
    disguise(1, CL_DEVICE_TYPE_CPU, "Two");
    const char *specs[] = {
        "gpu", "cpu:2", "0:2", "1:0", "voodoo", "cpu:", "0:-1", "99999999999:0"
    };
    for (guint i = 0; i < G_N_ELEMENTS(specs); i++)
        assert_refused(specs[i]);
}

static void a_driver_without_devices_is_named(void)
{
    g_autoptr(GError) error = NULL;
    fakecl_fail("clGetDeviceIDs", 1, FAKECL_ALWAYS, CL_DEVICE_NOT_FOUND);
    g_assert_null(ocl_device_open("auto", &error));
    g_assert_error(error, OCL_ERROR, OCL_ERROR_NO_DEVICE);
    g_assert_nonnull(strstr(error->message, "Portable Computing Language"));
    g_assert_nonnull(strstr(error->message, "POCL_CACHE_DIR"));
    g_assert_null(strstr(error->message, "install"));
}

static void a_specification_tells_devices_apart(void)
{
    disguise(0, CL_DEVICE_TYPE_CPU, "One");
    disguise(1, CL_DEVICE_TYPE_GPU, "Two");
    g_autoptr(OclDevice) device = ocl_device_open("0:1", NULL);
    g_assert_true(ocl_device_matches(device, "auto"));
    g_assert_true(ocl_device_matches(device, "gpu"));
    g_assert_true(ocl_device_matches(device, "gpu:0"));
    g_assert_true(ocl_device_matches(device, "two"));
    g_assert_false(ocl_device_matches(device, "cpu"));
    g_assert_false(ocl_device_matches(device, "gpu:1"));
    g_assert_false(ocl_device_matches(device, "0:0"));
    g_assert_false(ocl_device_matches(device, "one"));
}

static void one_device_is_shared(void)
{
    OclDevice *first = harness_open();
    OclDevice *second = harness_open();
    g_assert_true(first == second);
    g_assert_cmpuint(fakecl_calls("clCreateContext"), ==, 1);
    ocl_device_unref(first);
    g_assert_cmpint(fakecl_live(), ==, 1);
    ocl_device_unref(second);
    g_assert_cmpint(fakecl_live(), ==, 0);
}

static gpointer open_often(gpointer unused)
{
    for (guint i = 0; i < 200; i++)
        ocl_device_unref(harness_open());
    return NULL;
}

static void threads_may_open_and_close_at_will(void)
{
    GThread *threads[4];
    for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
        threads[i] = g_thread_new(NULL, open_often, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
        g_thread_join(threads[i]);
}

static void a_context_that_fails_is_an_error(void)
{
    g_autoptr(GError) error = NULL;
    disguise(0, CL_DEVICE_TYPE_GPU, "Busy");
    fakecl_fail("clCreateContext", 1, 1, CL_DEVICE_NOT_AVAILABLE);
    g_assert_null(ocl_device_open("0:0", &error));
    g_assert_error(error, OCL_ERROR, CL_DEVICE_NOT_AVAILABLE);
    g_assert_cmpstr(error->message, ==, "clCreateContext on Busy: CL_DEVICE_NOT_AVAILABLE (-2)");
    /* It may be free again in a moment. */
    g_assert_false(ocl_error_is_device_lost(error));
}

static void the_facts_of_a_device_are_plausible(void)
{
    g_autoptr(OclDevice) device = harness_open();
    g_assert_cmpint(device->device_class, ==, OCL_CLASS_CPU);
    g_assert_cmpuint(device->compute_units, >, 0);
    g_assert_cmpuint(device->vector_width, >=, 4);
    g_assert_cmpuint(device->compute_capability, ==, 0);
    g_assert_cmpuint(device->max_allocation_b, <=, device->global_memory_b);
    g_assert_cmpuint(device->max_allocation_b, >, 1 << 20);
    g_assert_cmpuint(device->local_memory_b, >, 1 << 10);
    g_assert_cmpuint(device->max_work_group, >=, 1);
    g_assert_true(device->unified_memory);
    g_assert_true(g_str_has_prefix(device->extensions, " "));
}

static void the_list_names_every_device(void)
{
    disguise(1, CL_DEVICE_TYPE_GPU, "Fast");
    g_auto(GStrv) lines = ocl_device_list();
    g_assert_cmpuint(g_strv_length(lines), ==, 2);
    g_assert_true(g_str_has_prefix(lines[1], "0:1 Fast (Portable Computing Language, driver "));
}

int main(int argc, char **argv)
{
    harness_init(&argc, &argv);
    harness_add("auto takes the GPU", auto_takes_the_gpu);
    harness_add("auto takes an accelerator before the CPU",
                auto_takes_the_accelerator_before_the_cpu);
    harness_add("auto takes tensor cores first", auto_takes_tensor_cores_first);
    harness_add("auto passes over what has no compiler", auto_passes_over_what_has_no_compiler);
    harness_add("every form of a name works", every_form_of_a_name_works);
    harness_add("a device that is not there is an error with a list",
                a_device_that_is_not_there_is_an_error_with_a_list);
    harness_add("a driver without devices is named", a_driver_without_devices_is_named);
    harness_add("a specification tells devices apart", a_specification_tells_devices_apart);
    harness_add("one device is shared", one_device_is_shared);
    harness_add("threads may open and close at will", threads_may_open_and_close_at_will);
    harness_add("a context that fails is an error", a_context_that_fails_is_an_error);
    harness_add("the facts of a device are plausible", the_facts_of_a_device_are_plausible);
    harness_add("the list names every device", the_list_names_every_device);
    return harness_run();
}
