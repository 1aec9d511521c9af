/* facemask.h - which parts of restored faces are pasted, by a network that tells them apart.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Also the structs that are mirrored in kernels/video_face.cl.
 */
#pragma once

#include "facepaste.h"
#include "planes.h"

G_BEGIN_DECLS

/* ---- mirrors of the structs in kernels/video_face.cl */

typedef struct {
    float to_frame[6], to_face[6];
    float spread, detail, blend;
    float blur, least, finer;
    gint32 match, soften;
    gint32 frame, first, count;
    gint32 left, top, columns, rows;
} VideoFaceEntry;

typedef struct {
    float gain[3], shift[3];
    float similarity;
    float share;
} VideoFaceVerdict;

typedef struct {
    gint32 width, height;
} VideoMaskSize;

/* ---- masks */

typedef struct VideoFaceParser VideoFaceParser;

/* @network: outlives the parser; see video_restorer_new(). */
VideoFaceParser *video_face_parser_new(OclDevice *device, const VideoFaceNetwork *network,
                                       guint max_samples, GError **error);
void video_face_parser_free(VideoFaceParser *parser);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VideoFaceParser, video_face_parser_free)
/* Makes room for @capacity faces; forgets the masks so far. */
gboolean video_face_parser_reserve(VideoFaceParser *parser, guint capacity, GError **error);
/* Enqueues the masks of @n faces from @first on of the table @faces. @restored:
 * [faces][height][width][4] half, R G B 0..255 and what is not looked at. */
gboolean video_face_parser_run(VideoFaceParser *parser, OclQueue *compute, cl_mem restored,
                               gint32 width, gint32 height, cl_mem faces, gint32 first, guint n,
                               GError **error);
/* [capacity][height][width] float. */
cl_mem video_face_parser_masks(const VideoFaceParser *parser, VideoMaskSize *size);

G_END_DECLS
