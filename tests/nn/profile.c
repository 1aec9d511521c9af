/* profile.c - where a network's time goes: medians over runs, launch by launch and by kernel.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "profile.h"

#include <string.h>

static const NnProfileLine *line_at(const GArray *lines, guint i)
{
    return &g_array_index(lines, NnProfileLine, i);
}

/* ---------------------------------------------------------------- medians */

static int compare_doubles(gconstpointer a, gconstpointer b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median_ms(const GPtrArray *runs, guint i)
{
    g_autofree double *ms = g_new(double, runs->len);
    for (guint r = 0; r < runs->len; r++)
        ms[r] = line_at(runs->pdata[r], i)->ms;
    qsort(ms, runs->len, sizeof *ms, compare_doubles);
    return (ms[(runs->len - 1) / 2] + ms[runs->len / 2]) / 2;
}

GArray *profile_medians(const GPtrArray *runs)
{
    const GArray *last = runs->pdata[runs->len - 1];
    GArray *lines = g_array_sized_new(FALSE, FALSE, sizeof(NnProfileLine), last->len);
    for (guint i = 0; i < last->len; i++) {
        NnProfileLine line = *line_at(last, i);
        const double ms = median_ms(runs, i), faster = line.ms / ms;
        line.ms = ms;
        line.gflops *= faster;
        line.gbytes_per_s *= faster;
        g_array_append_val(lines, line);
    }
    return lines;
}

/* ---------------------------------------------------------------- by kernel */

typedef struct {
    const char *kernel;
    guint launches;
    double ms, gflop, gbytes; /* of all launches */
} Group;

static Group *find_group(GArray *groups, const char *kernel)
{
    for (guint i = 0; i < groups->len; i++) {
        Group *group = &g_array_index(groups, Group, i);
        if (strcmp(group->kernel, kernel) == 0)
            return group;
    }
    const Group group = { .kernel = kernel };
    g_array_append_val(groups, group);
    return &g_array_index(groups, Group, groups->len - 1);
}

static int slower_first(gconstpointer a, gconstpointer b)
{
    const Group *x = a, *y = b;
    return (x->ms < y->ms) - (x->ms > y->ms);
}

static GArray *group_by_kernel(const GArray *lines)
{
    GArray *groups = g_array_new(FALSE, FALSE, sizeof(Group));
    for (guint i = 0; i < lines->len; i++) {
        const NnProfileLine *line = line_at(lines, i);
        Group *group = find_group(groups, line->kernel);
        group->launches++;
        group->ms += line->ms;
        group->gflop += line->gflops * line->ms / 1e3;
        group->gbytes += line->gbytes_per_s * line->ms / 1e3;
    }
    g_array_sort(groups, slower_first);
    return groups;
}

static double total_ms(const GArray *lines)
{
    double ms = 0;
    for (guint i = 0; i < lines->len; i++)
        ms += line_at(lines, i)->ms;
    return ms;
}

/* ---------------------------------------------------------------- telling */

static void print_rates(double ms, double share, double gflops, double gbytes_per_s)
{
    g_print("%9.3f ms %5.1f %% %8.1f GFLOP/s %7.1f GB/s  ", ms, 100 * share, gflops, gbytes_per_s);
}

void profile_print(const GArray *lines)
{
    g_autoptr(GArray) groups = group_by_kernel(lines);
    const double total = total_ms(lines);
    for (guint i = 0; i < lines->len; i++) {
        const NnProfileLine *line = line_at(lines, i);
        print_rates(line->ms, line->ms / total, line->gflops, line->gbytes_per_s);
        g_print("%-28s %-34s %s\n", line->kernel, line->shape, line->node);
    }
    g_print("by kernel, %.3f ms in %u launches:\n", total, lines->len);
    for (guint i = 0; i < groups->len; i++) {
        const Group *group = &g_array_index(groups, Group, i);
        const double seconds = group->ms / 1e3;
        print_rates(group->ms, group->ms / total, group->gflop / seconds, group->gbytes / seconds);
        g_print("%-28s %u launches\n", group->kernel, group->launches);
    }
}

static void add_string(JsonBuilder *json, const char *name, const char *value)
{
    json_builder_set_member_name(json, name);
    json_builder_add_string_value(json, value);
}

static void add_number(JsonBuilder *json, const char *name, double value)
{
    json_builder_set_member_name(json, name);
    json_builder_add_double_value(json, value);
}

static void json_lines(JsonBuilder *json, const GArray *lines, double total)
{
    for (guint i = 0; i < lines->len; i++) {
        const NnProfileLine *line = line_at(lines, i);
        json_builder_begin_object(json);
        add_string(json, "node", line->node);
        add_string(json, "kernel", line->kernel);
        add_string(json, "shape", line->shape);
        add_number(json, "ms", line->ms);
        add_number(json, "share", line->ms / total);
        add_number(json, "gflops", line->gflops);
        add_number(json, "gbytes_per_s", line->gbytes_per_s);
        json_builder_end_object(json);
    }
}

static void json_groups(JsonBuilder *json, const GArray *groups, double total)
{
    for (guint i = 0; i < groups->len; i++) {
        const Group *group = &g_array_index(groups, Group, i);
        json_builder_begin_object(json);
        add_string(json, "kernel", group->kernel);
        json_builder_set_member_name(json, "launches");
        json_builder_add_int_value(json, group->launches);
        add_number(json, "ms", group->ms);
        add_number(json, "share", group->ms / total);
        add_number(json, "gflops", group->gflop / group->ms * 1e3);
        add_number(json, "gbytes_per_s", group->gbytes / group->ms * 1e3);
        json_builder_end_object(json);
    }
}

void profile_json(JsonBuilder *json, const GArray *lines)
{
    g_autoptr(GArray) groups = group_by_kernel(lines);
    const double total = total_ms(lines);
    json_builder_set_member_name(json, "kernels");
    json_builder_begin_array(json);
    json_groups(json, groups, total);
    json_builder_end_array(json);
    json_builder_set_member_name(json, "profile");
    json_builder_begin_array(json);
    json_lines(json, lines, total);
    json_builder_end_array(json);
}
