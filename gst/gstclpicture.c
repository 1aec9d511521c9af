/* gstclpicture.c - whole frames through a picture network: what the elements have in common.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "gstclpicture.h"

/* "RGB in (v - 123.675) / 58.395, ..., scaled to 320x320": what goes in. */
static char *describe_input(const VideoModelInfo *info)
{
    static const char *const fits[] = { [VIDEO_FIT_STRETCH] = "stretched to the network's size",
                                        [VIDEO_FIT_LETTERBOX] = "with borders around them",
                                        [VIDEO_FIT_NATIVE] = "near their own size",
                                        [VIDEO_FIT_TILE] = "in pieces of the network's size" };
    return g_strdup_printf(
        "%s, as (v - mean) / std of v in 0..255 with mean %g, %g, %g and std %g, %g, %g, %s",
        info->bgr ? "BGR" : "RGB", info->mean[0], info->mean[1], info->mean[2], info->std[0],
        info->std[1], info->std[2], fits[info->fit]);
}

void picture_tell_guess(GstClBatchFilter *filter, const PictureModel *model)
{
    const VideoModelInfo *info = model->info;
    if (!info->guessed)
        return;
    const NnValue *output = nn_model_graph(model->model)->outputs->pdata[0];
    g_autofree char *input = describe_input(info);
    GST_ELEMENT_INFO(filter, LIBRARY, SETTINGS,
                     ("How the network wants its pictures is a guess by the shapes of its tensors: "
                      "%s; the result is channel %u of '%s'. If what comes out looks wrong, "
                      "describe the network in a file of its name followed by .modelinfo.",
                      input, info->channel, output->name),
                     ("docs/models.md tells what such a file holds"));
}

gboolean picture_build_init(PictureBuild *self, PictureModel *model, OclDevice *device,
                            const GstVideoInfo *in, const GstVideoInfo *out, guint max_frames,
                            NnPrecision precision, GError **error)
{
    self->in = *in;
    self->out = *out;
    self->max_frames = max_frames;
    self->network = picture_network_new(model, device, GST_VIDEO_INFO_WIDTH(in),
                                        GST_VIDEO_INFO_HEIGHT(in), max_frames, precision, error);
    return self->network != NULL;
}

void picture_build_clear(PictureBuild *self)
{
    g_clear_pointer(&self->to_tensor, video_to_tensor_free);
    g_clear_pointer(&self->slot, nn_slot_free);
    g_clear_pointer(&self->network, picture_network_unref);
}

NnPlace picture_batch_input(const PictureBatch *self)
{
    return nn_slot_input(self->slot, self->build->network->input);
}

NnPlace picture_batch_output(const PictureBatch *self)
{
    return nn_slot_output(self->slot, self->build->network->output);
}

/* The conversion serves all batches; where the network's tensors lie is known with the first. */
static gboolean make_conversion(const PictureBatch *self, GError **error)
{
    PictureBuild *build = self->build;
    const NnPlace input = picture_batch_input(self);
    if (!build->to_tensor)
        build->to_tensor =
            video_to_tensor_new(build->network->device, &build->in, build->network->model->info,
                                build->max_frames, &input, error);
    return build->to_tensor != NULL;
}

static gboolean find_slot(PictureBatch *self, GError **error)
{
    PictureBuild *build = self->build;
    self->slot = build->slot ? build->slot : nn_slot_new(build->network->network, error);
    if (!picture_model_is_recurrent(build->network->model))
        build->slot = self->slot;
    return self->slot != NULL;
}

gboolean picture_batch_init(PictureBatch *self, PictureBuild *build, GError **error)
{
    OclDevice *device = build->network->device;
    self->build = build;
    self->in = video_frames_new(device, &build->in, build->max_frames, TRUE, error);
    if (!self->in)
        return FALSE;
    self->out = video_frames_new(device, &build->out, build->max_frames, FALSE, error);
    if (!self->out)
        return FALSE;
    return find_slot(self, error) && make_conversion(self, error);
}

void picture_batch_clear(PictureBatch *self)
{
    g_clear_pointer(&self->in, video_frames_free);
    g_clear_pointer(&self->out, video_frames_free);
    if (self->build && self->slot != self->build->slot)
        nn_slot_free(self->slot);
    self->slot = NULL;
}

gboolean picture_batch_run(PictureBatch *self, OclQueue *compute, guint n_frames, GError **error)
{
    const NnPlace input = picture_batch_input(self);
    return video_to_tensor_run(self->build->to_tensor, compute, self->in, n_frames, &input,
                               error) &&
           nn_slot_run(self->slot, compute, n_frames, error);
}

gboolean picture_upload(GstClBatchFilter *filter, GstClBatch batch, OclQueue *upload, guint index,
                        GstVideoFrame *frame, GError **error)
{
    return video_frames_upload(((PictureBatch *)batch)->in, upload, index, frame, error);
}

gboolean picture_download(GstClBatchFilter *filter, GstClBatch batch, OclQueue *download,
                          guint index, GstVideoFrame *frame, GError **error)
{
    return video_frames_download(((PictureBatch *)batch)->out, download, index, frame, error);
}
