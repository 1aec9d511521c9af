/* events.c - tests of what travels with the frames: its order, its sequence numbers, its end.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stage.h"

static void push_event(Stage *stage, GstEvent *event)
{
    g_assert_true(gst_harness_push_event(stage->harness, event));
}

static void push_caps(Stage *stage, const char *text)
{
    g_autoptr(GstCaps) caps = gst_caps_from_string(text);
    push_event(stage, gst_event_new_caps(caps));
}

static void push_segment(Stage *stage)
{
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    push_event(stage, gst_event_new_segment(&segment));
}

static void push_tag(Stage *stage)
{
    push_event(stage, gst_event_new_tag(gst_tag_list_new(GST_TAG_TITLE, "title", NULL)));
}

static void assert_log(Stage *stage, const char *expected)
{
    g_autofree char *log = stage_log(stage);
    g_assert_cmpstr(log, ==, expected);
}

static void all_leave_in_the_order_they_came_in(void)
{
    g_autoptr(Stage) stage = stage_new(4);
    stage_set_caps(stage, STAGE_CAPS);
    stage_push_all(stage, 0, 6);
    push_tag(stage);
    push_event(stage, gst_event_new_gap(0, FRAME_NS));
    push_caps(stage, STAGE_OTHER_CAPS);
    stage_push_all(stage, 6, 1);
    push_event(stage, gst_event_new_custom(GST_EVENT_CUSTOM_DOWNSTREAM,
                                           gst_structure_new_empty("custom")));
    stage_push_all(stage, 7, 1);
    push_event(stage, gst_event_new_eos());
    stage_wait_for_eos(stage);
    stage_pull_all(stage, 0, 8);
    assert_log(stage, "TCSbbbbbbtgCbxbE");
}

static void a_tag_between_frames_does_not_part_the_batch(void)
{
    g_autoptr(Stage) stage = stage_new(4);
    stage_set_caps(stage, STAGE_CAPS);
    stage_push_all(stage, 0, 2);
    push_tag(stage);
    stage_push_all(stage, 2, 2);
    stage_pull_all(stage, 0, 4);
    g_assert_cmpuint(stage_stat(stage, "batches"), ==, 1);
    assert_log(stage, "TCSbbtbb");
}

static void a_tag_without_frames_passes_at_once(void)
{
    g_autoptr(Stage) stage = stage_new(4);
    stage_set_caps(stage, STAGE_CAPS);
    push_tag(stage);
    for (GstEventType type = 0; type != GST_EVENT_TAG;) {
        g_autoptr(GstEvent) event = gst_harness_pull_event(stage->harness);
        g_assert_nonnull(event);
        type = GST_EVENT_TYPE(event);
    }
}

static void a_gap_brings_out_the_frames_before_it(void)
{
    g_autoptr(Stage) stage = stage_new(4);
    stage_set_caps(stage, STAGE_CAPS);
    stage_push_all(stage, 0, 1);
    push_event(stage, gst_event_new_gap(FRAME_NS, FRAME_NS));
    stage_pull_all(stage, 0, 1);
    for (GstEventType type = 0; type != GST_EVENT_GAP;) {
        g_autoptr(GstEvent) event = gst_harness_pull_event(stage->harness);
        g_assert_nonnull(event);
        type = GST_EVENT_TYPE(event);
    }
    assert_log(stage, "TCSbg");
}

static void a_stream_of_gaps_alone_does_not_stall(void)
{
    g_autoptr(Stage) stage = stage_new(4);
    stage_set_caps(stage, STAGE_CAPS);
    for (guint i = 0; i < 10; i++)
        push_event(stage, gst_event_new_gap(i * GST_SECOND, GST_SECOND));
    push_event(stage, gst_event_new_eos());
    stage_wait_for_eos(stage);
    assert_log(stage, "TCSggggggggggE");
}

static void the_end_without_frames_passes_at_once(void)
{
    g_autoptr(Stage) stage = stage_new(4);
    stage_set_caps(stage, STAGE_CAPS);
    push_event(stage, gst_event_new_eos());
    stage_wait_for_eos(stage);
}

static void frames_after_the_end_are_refused_until_a_new_stream(void)
{
    g_autoptr(Stage) stage = stage_new(1);
    stage_set_caps(stage, STAGE_CAPS);
    stage_push_all(stage, 0, 1);
    push_event(stage, gst_event_new_eos());
    stage_wait_for_eos(stage);
    stage_pull_all(stage, 0, 1);
    GstPad *sink = GST_PAD_PEER(stage->harness->srcpad);
    g_assert_cmpint(gst_pad_chain(sink, stage_frame(stage, 9)), ==, GST_FLOW_EOS);
    push_event(stage, gst_event_new_stream_start("another"));
    push_segment(stage);
    stage_push_all(stage, 1, 1);
    stage_pull_all(stage, 1, 1);
    assert_log(stage, "TCSbETSb");
}

static void a_change_of_caps_loses_no_frame(void)
{
    g_autoptr(Stage) stage = stage_new(4);
    stage_set_caps(stage, STAGE_CAPS);
    stage_push_all(stage, 0, 6);
    push_caps(stage, STAGE_OTHER_CAPS);
    stage_push_all(stage, 6, 2);
    push_event(stage, gst_event_new_eos());
    stage_pull_all(stage, 0, 8);
    stage_wait_for_eos(stage);
    assert_log(stage, "TCSbbbbbbCbbE");
    g_assert_cmpint(stage->filter->n_prepared, ==, 2);
}

static void caps_that_do_not_fit_are_refused_and_good_ones_go_on(void)
{
    g_autoptr(Stage) stage = stage_new(1);
    stage_set_caps(stage, STAGE_CAPS);
    stage_push_all(stage, 0, 1);
    g_autoptr(GstCaps) bad = gst_caps_from_string("video/x-raw,format=P010_10LE,width=16,height=8,"
                                                  "framerate=25/1");
    gst_harness_push_event(stage->harness, gst_event_new_caps(bad));
    g_assert_cmpint(stage_push(stage, 1), ==, GST_FLOW_NOT_NEGOTIATED);
    push_caps(stage, STAGE_OTHER_CAPS);
    stage_push_all(stage, 2, 1);
    stage_pull_all(stage, 0, 1);
    stage_pull_all(stage, 2, 1);
    g_assert_false(stage_has_error(stage));
}

static void caps_that_downstream_refuses_stop_the_stream_and_others_revive_it(void)
{
    g_autoptr(Stage) stage = stage_new(1);
    gst_harness_set_sink_caps_str(stage->harness, STAGE_OTHER_CAPS);
    gst_harness_set_src_caps_str(stage->harness, STAGE_CAPS);
    GstFlowReturn flow;
    while ((flow = stage_push(stage, 0)) == GST_FLOW_OK)
        continue;
    g_assert_cmpint(flow, ==, GST_FLOW_NOT_NEGOTIATED);
    push_caps(stage, STAGE_OTHER_CAPS);
    push_segment(stage);
    stage_push_all(stage, 5, 1);
    stage_pull_all(stage, 5, 1);
}

static void the_same_caps_again_change_nothing(void)
{
    g_autoptr(Stage) stage = stage_new(4);
    stage_set_caps(stage, STAGE_CAPS);
    stage_push_all(stage, 0, 2);
    push_caps(stage, STAGE_CAPS);
    stage_push_all(stage, 2, 2);
    stage_pull_all(stage, 0, 4);
    g_assert_cmpuint(stage_stat(stage, "batches"), ==, 1);
    g_assert_cmpint(stage->filter->n_prepared, ==, 1);
}

static guint32 wait_for(Stage *stage, GstEventType type)
{
    for (;;) {
        g_autoptr(GstEvent) event = gst_harness_pull_event(stage->harness);
        g_assert_nonnull(event);
        if (GST_EVENT_TYPE(event) == type)
            return gst_event_get_seqnum(event);
    }
}

static void events_keep_their_sequence_numbers(void)
{
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    GstEvent *event = gst_event_new_segment(&segment), *eos = gst_event_new_eos();
    gst_event_set_seqnum(event, 777);
    gst_event_set_seqnum(eos, 778);
    g_autoptr(Stage) stage = stage_new(4);
    stage_set_caps(stage, STAGE_CAPS);
    stage_push_all(stage, 0, 1);
    wait_for(stage, GST_EVENT_SEGMENT);
    push_event(stage, event);
    push_event(stage, eos);
    g_assert_cmpuint(wait_for(stage, GST_EVENT_SEGMENT), ==, 777);
    g_assert_cmpuint(wait_for(stage, GST_EVENT_EOS), ==, 778);
}

static void a_discontinuity_begins_a_new_batch(void)
{
    g_autoptr(Stage) stage = stage_new(4);
    stage_set_caps(stage, STAGE_CAPS);
    stage_push_all(stage, 0, 2);
    GstBuffer *frame = stage_frame(stage, 2);
    GST_BUFFER_FLAG_SET(frame, GST_BUFFER_FLAG_DISCONT);
    GST_BUFFER_PTS(frame) += 2 * GST_SECOND;
    gst_harness_push(stage->harness, frame);
    push_event(stage, gst_event_new_eos());
    stage_wait_for_eos(stage);
    stage_pull_all(stage, 0, 2);
    g_autoptr(GstBuffer) out = stage_pull(stage, 2);
    g_assert_true(GST_BUFFER_IS_DISCONT(out));
    g_assert_cmpuint(stage_stat(stage, "batches"), ==, 2);
    g_assert_cmpint(stage->filter->n_resets, ==, 2);
}

/* ---------------------------------------------------------------- what downstream returns */

static GstPadProbeReturn answer(GstPad *pad, GstPadProbeInfo *info, gpointer flow)
{
    gst_buffer_unref(GST_PAD_PROBE_INFO_BUFFER(info));
    GST_PAD_PROBE_INFO_FLOW_RETURN(info) = GPOINTER_TO_INT(flow);
    return GST_PAD_PROBE_HANDLED;
}

static gulong downstream_returns(Stage *stage, GstFlowReturn flow)
{
    g_autoptr(GstPad) src = gst_element_get_static_pad(stage->element, "src");
    return gst_pad_add_probe(src, GST_PAD_PROBE_TYPE_BUFFER, answer, GINT_TO_POINTER(flow), NULL);
}

static GstFlowReturn push_until_refused(Stage *stage)
{
    GstFlowReturn flow;
    while ((flow = stage_push(stage, 0)) == GST_FLOW_OK)
        continue;
    return flow;
}

static void what_downstream_returns_reaches_upstream(void)
{
    static const GstFlowReturn flows[] = { GST_FLOW_ERROR, GST_FLOW_NOT_LINKED, GST_FLOW_EOS,
                                           GST_FLOW_NOT_NEGOTIATED };
    for (guint i = 0; i < G_N_ELEMENTS(flows); i++) {
        g_autoptr(Stage) stage = stage_new(2);
        stage_set_caps(stage, STAGE_CAPS);
        downstream_returns(stage, flows[i]);
        g_assert_cmpint(push_until_refused(stage), ==, flows[i]);
        g_assert_false(stage_has_error(stage));
    }
}

static void the_end_of_a_failed_stream_is_told_once_and_passes(void)
{
    g_autoptr(Stage) stage = stage_new(2);
    stage_set_caps(stage, STAGE_CAPS);
    downstream_returns(stage, GST_FLOW_ERROR);
    push_until_refused(stage);
    gst_harness_push_event(stage->harness, gst_event_new_eos());
    stage_wait_for_eos(stage);
    stage_expect_error(stage, GST_STREAM_ERROR, GST_STREAM_ERROR_FAILED);
    g_assert_false(stage_has_error(stage));
}

static void a_new_segment_forgets_what_was_carried(void)
{
    g_autoptr(Stage) stage = stage_new(1);
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    segment.start = segment.position = GST_SECOND;
    stage_set_caps(stage, STAGE_CAPS);
    stage_push_all(stage, 0, 2);
    stage_pull_all(stage, 0, 2);
    g_assert_cmpint(stage->filter->n_resets, ==, 1);
    gst_harness_push_event(stage->harness, gst_event_new_segment(&segment));
    stage_push_all(stage, 2, 2);
    stage_pull_all(stage, 2, 2);
    g_assert_cmpint(stage->filter->n_resets, ==, 2);
}

static void an_end_that_is_queued_behind_a_failure_passes(void)
{
    g_autoptr(Stage) stage = stage_new(4);
    stage_set_caps(stage, STAGE_CAPS);
    downstream_returns(stage, GST_FLOW_ERROR);
    stage_push_all(stage, 0, 3);
    GstEvent *end = gst_event_new_eos();
    const guint32 seqnum = gst_event_get_seqnum(end);
    gst_harness_push_event(stage->harness, end);
    g_autoptr(GstEvent) event = gst_harness_pull_event(stage->harness);
    while (GST_EVENT_TYPE(event) != GST_EVENT_EOS) {
        gst_event_unref(event);
        event = gst_harness_pull_event(stage->harness);
    }
    g_assert_cmpuint(gst_event_get_seqnum(event), ==, seqnum);
    stage_expect_error(stage, GST_STREAM_ERROR, GST_STREAM_ERROR_FAILED);
    g_assert_false(stage_has_error(stage));
}

static void an_unlinked_stream_goes_on_when_it_is_linked(void)
{
    g_autoptr(Stage) stage = stage_new(1);
    stage_set_caps(stage, STAGE_CAPS);
    g_autoptr(GstPad) src = gst_element_get_static_pad(stage->element, "src");
    gulong probe = downstream_returns(stage, GST_FLOW_NOT_LINKED);
    g_assert_cmpint(push_until_refused(stage), ==, GST_FLOW_NOT_LINKED);
    gst_pad_remove_probe(src, probe);
    gst_harness_push_upstream_event(stage->harness, gst_event_new_reconfigure());
    stage_push_all(stage, 7, 1);
    for (guint8 value = 0; value != 7;) {
        g_autoptr(GstBuffer) out = gst_harness_pull(stage->harness);
        g_assert_nonnull(out);
        gst_buffer_extract(out, 0, &value, 1);
    }
}

static void a_change_downstream_is_negotiated_between_frames(void)
{
    g_autoptr(Stage) stage = stage_new(2);
    stage_set_caps(stage, STAGE_CAPS);
    stage_push_all(stage, 0, 2);
    stage_pull_all(stage, 0, 2);
    gst_harness_push_upstream_event(stage->harness, gst_event_new_reconfigure());
    stage_push_all(stage, 2, 2);
    stage_pull_all(stage, 2, 2);
    g_assert_cmpint(stage->filter->n_prepared, ==, 1);
}

int main(int argc, char **argv)
{
    stage_init(&argc, &argv);
    stage_add("all leave in the order they came in", all_leave_in_the_order_they_came_in);
    stage_add("a tag between frames does not part the batch",
              a_tag_between_frames_does_not_part_the_batch);
    stage_add("a tag without frames passes at once", a_tag_without_frames_passes_at_once);
    stage_add("a gap brings out the frames before it", a_gap_brings_out_the_frames_before_it);
    stage_add("a stream of gaps alone does not stall", a_stream_of_gaps_alone_does_not_stall);
    stage_add("the end without frames passes at once", the_end_without_frames_passes_at_once);
    stage_add("frames after the end are refused until a new stream",
              frames_after_the_end_are_refused_until_a_new_stream);
    stage_add("a change of caps loses no frame", a_change_of_caps_loses_no_frame);
    stage_add("caps that do not fit are refused and good ones go on",
              caps_that_do_not_fit_are_refused_and_good_ones_go_on);
    stage_add("caps that downstream refuses stop the stream and others revive it",
              caps_that_downstream_refuses_stop_the_stream_and_others_revive_it);
    stage_add("the same caps again change nothing", the_same_caps_again_change_nothing);
    stage_add("events keep their sequence numbers", events_keep_their_sequence_numbers);
    stage_add("a discontinuity begins a new batch", a_discontinuity_begins_a_new_batch);
    stage_add("what downstream returns reaches upstream", what_downstream_returns_reaches_upstream);
    stage_add("the end of a failed stream is told once and passes",
              the_end_of_a_failed_stream_is_told_once_and_passes);
    stage_add("an end that is queued behind a failure passes",
              an_end_that_is_queued_behind_a_failure_passes);
    stage_add("a new segment forgets what was carried", a_new_segment_forgets_what_was_carried);
    stage_add("an unlinked stream goes on when it is linked",
              an_unlinked_stream_goes_on_when_it_is_linked);
    stage_add("a change downstream is negotiated between frames",
              a_change_downstream_is_negotiated_between_frames);
    return g_test_run();
}
