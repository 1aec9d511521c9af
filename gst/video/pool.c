/* pool.c - video buffers in pinned memory: an allocator over OclPinned and a pool that insists on
 * it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "video.h"

#include <gst/video/gstvideopool.h>

/* ---------------------------------------------------------------- memory */

typedef struct {
    GstMemory parent;
    OclPinned *pinned; /* NULL in a shared part, whose parent owns it */
    guint8 *data;      /* of offset 0 */
} PinnedMemory;

typedef struct {
    GstAllocator parent;
    OclDevice *device;
} VideoPinnedAllocator;

typedef struct {
    GstAllocatorClass parent_class;
} VideoPinnedAllocatorClass;

static GType video_pinned_allocator_get_type(void);
G_DEFINE_TYPE(VideoPinnedAllocator, video_pinned_allocator, GST_TYPE_ALLOCATOR)

#define PINNED_MEMORY_TYPE "OclPinnedMemory"

/* OclPinned guarantees this much; a stricter wish is met by moving the start. */
#define PINNED_ALIGN (64 - 1)

static GstMemory *pinned_alloc(GstAllocator *allocator, gsize size, GstAllocationParams *params)
{
    VideoPinnedAllocator *self = (VideoPinnedAllocator *)allocator;
    gsize maximum = params->prefix + size + params->padding;
    gsize slack = params->align > PINNED_ALIGN ? params->align : 0;
    g_autoptr(GError) error = NULL;
    OclPinned *pinned = ocl_pinned_new(self->device, maximum + slack, &error);
    if (!pinned) {
        GST_WARNING_OBJECT(self, "no pinned memory: %s", error->message);
        return NULL;
    }
    PinnedMemory *memory = g_new0(PinnedMemory, 1);
    memory->pinned = pinned;
    memory->data = (guint8 *)(((guintptr)pinned->data + slack) & ~(guintptr)slack);
    gst_memory_init(&memory->parent, params->flags, allocator, NULL, maximum,
                    MAX(params->align, PINNED_ALIGN), params->prefix, size);
    return &memory->parent;
}

static void pinned_free(GstAllocator *allocator, GstMemory *memory)
{
    ocl_pinned_free(((PinnedMemory *)memory)->pinned);
    g_free(memory);
}

static gpointer pinned_map(GstMemory *memory, gsize maxsize, GstMapFlags flags)
{
    return ((PinnedMemory *)memory)->data;
}

static void pinned_unmap(GstMemory *memory)
{
}

static GstMemory *pinned_share(GstMemory *memory, gssize offset, gssize size)
{
    GstMemory *parent = memory->parent ? memory->parent : memory;
    PinnedMemory *part = g_new0(PinnedMemory, 1);
    part->data = ((PinnedMemory *)memory)->data;
    gst_memory_init(
        &part->parent, GST_MINI_OBJECT_FLAGS(parent) | GST_MINI_OBJECT_FLAG_LOCK_READONLY,
        memory->allocator, parent, memory->maxsize, memory->align, memory->offset + offset,
        size >= 0 ? (gsize)size : memory->size - (gsize)offset);
    return &part->parent;
}

static void video_pinned_allocator_finalize(GObject *object)
{
    ocl_device_unref(((VideoPinnedAllocator *)object)->device);
    G_OBJECT_CLASS(video_pinned_allocator_parent_class)->finalize(object);
}

static void video_pinned_allocator_class_init(VideoPinnedAllocatorClass *class)
{
    class->parent_class.alloc = pinned_alloc;
    class->parent_class.free = pinned_free;
    G_OBJECT_CLASS(class)->finalize = video_pinned_allocator_finalize;
}

static void video_pinned_allocator_init(VideoPinnedAllocator *self)
{
    self->parent.mem_type = PINNED_MEMORY_TYPE;
    self->parent.mem_map = pinned_map;
    self->parent.mem_unmap = pinned_unmap;
    self->parent.mem_share = pinned_share;
    GST_OBJECT_FLAG_SET(self, GST_ALLOCATOR_FLAG_CUSTOM_ALLOC);
}

/* ---------------------------------------------------------------- pool */

typedef struct {
    GstVideoBufferPool parent;
    GstAllocator *allocator;
} VideoPinnedPool;

typedef struct {
    GstVideoBufferPoolClass parent_class;
} VideoPinnedPoolClass;

static GType video_pinned_pool_get_type(void);
G_DEFINE_TYPE(VideoPinnedPool, video_pinned_pool, GST_TYPE_VIDEO_BUFFER_POOL)

/* Whoever configures the pool may bring an allocator of its own: only alignment is taken from it.
 */
static gboolean pinned_pool_set_config(GstBufferPool *pool, GstStructure *config)
{
    VideoPinnedPool *self = (VideoPinnedPool *)pool;
    GstAllocationParams params;
    gst_allocation_params_init(&params);
    gst_buffer_pool_config_get_allocator(config, NULL, &params);
    params.align = MAX(params.align, PINNED_ALIGN);
    gst_buffer_pool_config_set_allocator(config, self->allocator, &params);
    gst_buffer_pool_config_add_option(config, GST_BUFFER_POOL_OPTION_VIDEO_META);
    return GST_BUFFER_POOL_CLASS(video_pinned_pool_parent_class)->set_config(pool, config);
}

static void video_pinned_pool_finalize(GObject *object)
{
    VideoPinnedPool *self = (VideoPinnedPool *)object;
    GstAllocator *allocator = self->allocator;
    G_OBJECT_CLASS(video_pinned_pool_parent_class)->finalize(object);
    gst_object_unref(allocator);
}

static void video_pinned_pool_class_init(VideoPinnedPoolClass *class)
{
    GST_BUFFER_POOL_CLASS(class)->set_config = pinned_pool_set_config;
    G_OBJECT_CLASS(class)->finalize = video_pinned_pool_finalize;
}

static void video_pinned_pool_init(VideoPinnedPool *self)
{
}

gboolean video_buffer_is_pinned(GstBuffer *buffer, const OclDevice *device)
{
    guint n_max = 0;
    GstMemory *memory = gst_buffer_n_memory(buffer) == 1 ? gst_buffer_peek_memory(buffer, 0) : NULL;
    if (!memory || !gst_memory_is_type(memory, PINNED_MEMORY_TYPE) ||
        ((VideoPinnedAllocator *)memory->allocator)->device->platform != device->platform ||
        !buffer->pool)
        return FALSE;
    GstStructure *config = gst_buffer_pool_get_config(buffer->pool);
    gst_buffer_pool_config_get_params(config, NULL, NULL, NULL, &n_max);
    gst_structure_free(config);
    return n_max == 0;
}

GstBufferPool *video_pinned_pool_new(OclDevice *device)
{
    VideoPinnedAllocator *allocator = g_object_new(video_pinned_allocator_get_type(), NULL);
    gst_object_ref_sink(allocator);
    allocator->device = ocl_device_ref(device);
    VideoPinnedPool *pool = g_object_new(video_pinned_pool_get_type(), NULL);
    gst_object_ref_sink(pool);
    pool->allocator = GST_ALLOCATOR_CAST(allocator);
    return GST_BUFFER_POOL_CAST(pool);
}
