/* gstgpenproperties.h - the properties of the portrait enhancement element as plain values.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "gstgpenfaces.h"

G_BEGIN_DECLS

typedef enum {
    GPEN_FACES_DETECT,
    GPEN_FACES_META,
    GPEN_FACES_ALIGNED,
    GPEN_FACES_WHOLE,
} GpenFaces;

/* VideoTemplate, and what the network's description says. */
enum { GPEN_TEMPLATE_AUTO = -1 };

typedef struct {
    char *model_file, *detector_file, *mask_file, *background_file; /* NULL or "": not set */
    NnPrecision precision;
    GpenFaces faces;
    guint detector_side, detect_interval, max_samples;
    guint tile_side, tile_overlap;
    int template; /* VideoTemplate or GPEN_TEMPLATE_AUTO */
    FaceControls controls;
} GpenProperties;

void gpen_properties_install(GObjectClass *klass);
/* Everything as gst-inspect says. */
void gpen_properties_init(GpenProperties *properties);
void gpen_properties_copy(const GpenProperties *from, GpenProperties *to);
void gpen_properties_clear(GpenProperties *properties);
/* Property @id of those installed. TRUE: networks have to be built anew. */
gboolean gpen_properties_set(GpenProperties *properties, guint id, const GValue *value);
void gpen_properties_get(const GpenProperties *properties, guint id, GValue *value);

G_END_DECLS
