/* test-conn.c - packets over a socket: cuts, holding, large sends, ends */
#include "config.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libmilter-core/conn.h"
#include "test/support/calls.h"

typedef struct {
    MilterLoop *loop;
    MilterConn *conn;
    int fd;         /* the other end, -1 when closed */
    GString *trace; /* what the handler was told */
    gboolean holds; /* the handler holds the next packet */
    gboolean frees; /* the handler frees the conn */
    gsize n_bytes;  /* payload bytes that came */
} Fixture;

static void
on_connect(MilterConn *conn, gpointer data)
{
    g_string_append(((Fixture *)data)->trace, "connect ");
}

static MilterConnVerdict
on_frame(MilterConn *conn, const MilterFrame *frame, gpointer data)
{
    Fixture *f = data;

    if (f->holds) {
        g_string_append(f->trace, "hold ");
        return MILTER_CONN_HOLD;
    }
    f->n_bytes += frame->size;
    g_string_append_printf(f->trace, "%c%.*s ", frame->command, (int)MIN(frame->size, 8),
                           (const char *)frame->payload);
    if (f->frees)
        milter_conn_free(&f->conn);
    return MILTER_CONN_TAKEN;
}

static void
on_close(MilterConn *conn, MilterCloseReason reason, gpointer data)
{
    Fixture *f = data;

    g_string_append_printf(f->trace, "close:%s ", milter_conn_close_text(conn, reason));
    if (f->frees)
        milter_conn_free(&f->conn);
}

static void
on_drained(MilterConn *conn, gpointer data)
{
    g_string_append(((Fixture *)data)->trace, "drained ");
}

static const MilterConnHandler handler = {
    .on_connect = on_connect,
    .on_frame = on_frame,
    .on_close = on_close,
    .on_drained = on_drained,
};

static void
set_up(Fixture *f, gconstpointer data)
{
    int fds[2];

    calls_install();
    f->loop = milter_loop_new();
    f->trace = g_string_new(NULL);
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), ==, 0);
    f->conn = milter_conn_new(f->loop, fds[0], &handler, f);
    f->fd = fds[1];
}

static void
tear_down(Fixture *f, gconstpointer data)
{
    milter_conn_free(&f->conn);
    milter_loop_free(&f->loop);
    if (f->fd >= 0)
        close(f->fd);
    g_string_free(f->trace, TRUE);
    calls_remove();
}

static void
turn(Fixture *f)
{
    for (guint i = 0; i < 10; i++)
        milter_loop_turn(f->loop, FALSE);
}

static void
give(Fixture *f, const char *bytes, gsize size)
{
    g_assert_cmpint(write(f->fd, bytes, size), ==, size);
}

#define GIVE(f, literal) give(f, literal, sizeof(literal) - 1)

static void
test_split(Fixture *f, gconstpointer data)
{
    static const char wire[] = "\0\0\0\3Hab\0\0\0\1N\0\0\0\2Mx";

    for (gsize i = 0; i < sizeof(wire) - 1; i++) {
        give(f, wire + i, 1);
        turn(f);
    }
    g_assert_cmpstr(f->trace->str, ==, "Hab N Mx ");
    g_string_truncate(f->trace, 0);
    give(f, wire, sizeof(wire) - 1);
    turn(f);
    g_assert_cmpstr(f->trace->str, ==, "Hab N Mx ");
}

static void
test_large_in(Fixture *f, gconstpointer data)
{
    gsize size = 1000000, done = 0;
    g_autofree guint8 *wire = g_malloc0(MILTER_FRAME_HEAD + size);

    milter_frame_head(wire, 'B', size);
    while (done < MILTER_FRAME_HEAD + size) {
        ssize_t n = write(f->fd, wire + done, MIN(30000, MILTER_FRAME_HEAD + size - done));

        if (n > 0)
            done += (gsize)n;
        milter_loop_turn(f->loop, FALSE);
    }
    turn(f);
    g_assert_cmpuint(f->n_bytes, ==, size);
}

static void
test_bad_length(Fixture *f, gconstpointer data)
{
    GIVE(f, "\0\0\0\1N\0\0\0\0N");
    turn(f);
    g_assert_cmpstr(f->trace->str, ==, "N close:sent a packet with an impossible length ");
}

static void
test_end(Fixture *f, gconstpointer data)
{
    GIVE(f, "\0\0\0\1N\0\0\0\2");
    close(f->fd);
    f->fd = -1;
    turn(f);
    g_assert_cmpstr(f->trace->str, ==, "N close:closed the connection ");
    milter_conn_send_packet(f->conn, 'c', NULL, 0); /* ignored */
    turn(f);
    g_assert_cmpstr(f->trace->str, ==, "N close:closed the connection ");
}

static void
test_freed_in_callback(Fixture *f, gconstpointer data)
{
    f->frees = TRUE;
    GIVE(f, "\0\0\0\2Na\0\0\0\2Nb");
    turn(f);
    g_assert_cmpstr(f->trace->str, ==, "Na ");
    g_assert_null(f->conn);
}

static void
test_freed_in_close(Fixture *f, gconstpointer data)
{
    f->frees = TRUE;
    close(f->fd);
    f->fd = -1;
    turn(f);
    g_assert_cmpstr(f->trace->str, ==, "close:closed the connection ");
}

static void
test_hold(Fixture *f, gconstpointer data)
{
    f->holds = TRUE;
    GIVE(f, "\0\0\0\2Na\0\0\0\2Nb");
    turn(f);
    GIVE(f, "\0\0\0\2Nc");
    turn(f);
    g_assert_cmpstr(f->trace->str, ==, "hold ");
    f->holds = FALSE;
    milter_conn_resume(f->conn);
    g_assert_cmpstr(f->trace->str, ==, "hold ");
    turn(f);
    g_assert_cmpstr(f->trace->str, ==, "hold Na Nb Nc ");
    milter_conn_resume(f->conn);
    turn(f);
}

/* What comes behind a held packet is read up to a limit only. */
static void
test_hold_limit(Fixture *f, gconstpointer data)
{
    static char junk[1000000];
    ssize_t n, total = 0;

    f->holds = TRUE;
    GIVE(f, "\0\0\0\2Na");
    for (guint i = 0; i < 1000; i++) {
        n = write(f->fd, junk, sizeof(junk));
        total += MAX(n, 0);
        milter_loop_turn(f->loop, FALSE);
    }
    g_assert_cmpint(total, <, 1000000);
}

/* The end is told although a packet is held. */
static void
test_end_while_held(Fixture *f, gconstpointer data)
{
    f->holds = TRUE;
    GIVE(f, "\0\0\0\2Na");
    turn(f);
    close(f->fd);
    f->fd = -1;
    turn(f);
    g_assert_cmpstr(f->trace->str, ==, "hold close:closed the connection ");
}

/* Read at the other end until SIZE bytes have come. */
static GByteArray *
drain(Fixture *f, gsize size)
{
    GByteArray *bytes = g_byte_array_new();
    guint8 buffer[70000];

    for (guint i = 0; i < 10000000 && bytes->len < size; i++) {
        ssize_t n = read(f->fd, buffer, sizeof(buffer));

        if (n > 0)
            g_byte_array_append(bytes, buffer, (guint)n);
        milter_loop_turn(f->loop, FALSE);
    }
    g_assert_cmpuint(bytes->len, ==, size);
    return bytes;
}

static void
test_one_write_a_turn(Fixture *f, gconstpointer data)
{
    g_autoptr(GByteArray) bytes = NULL;

    milter_conn_send_packet(f->conn, 'c', "x", 1);
    milter_conn_send(f->conn, "\0\0\0\1a", 5);
    milter_buffer_append_packet(milter_conn_out(f->conn), 'd', NULL, 0);
    milter_conn_queue_flush(f->conn);
    g_assert_cmpuint(milter_conn_unsent(f->conn), ==, 16);
    g_assert_cmpuint(calls.n_calls[CALL_WRITEV], ==, 0);
    milter_loop_turn(f->loop, FALSE);
    g_assert_cmpuint(calls.n_calls[CALL_WRITEV], ==, 1);
    g_assert_cmpuint(milter_conn_unsent(f->conn), ==, 0);
    bytes = drain(f, 16);
    g_assert_cmpmem(bytes->data, bytes->len, "\0\0\0\2cx\0\0\0\1a\0\0\0\1d", 16);
}

/* A small packet, a large one and a small one, in order, whatever the socket takes. */
static void
send_mix(Fixture *f, gsize size)
{
    g_autofree guint8 *payload = g_malloc(size);
    g_autoptr(GByteArray) bytes = NULL;

    for (gsize i = 0; i < size; i++)
        payload[i] = (guint8)(i % 251);
    milter_conn_send_packet(f->conn, 'a', "1", 1);
    milter_conn_send_large(f->conn, 'B', payload, size);
    milter_conn_send_large(f->conn, 'B', payload, size);
    milter_conn_send_packet(f->conn, 'c', "2", 1);
    bytes = drain(f, 6 + 2 * (5 + size) + 6);
    g_assert_cmpmem(bytes->data, 6, "\0\0\0\2a1", 6);
    g_assert_cmpmem(bytes->data + 11, size, payload, size);
    g_assert_cmpmem(bytes->data + 16 + size, size, payload, size);
    g_assert_cmpmem(bytes->data + bytes->len - 6, 6, "\0\0\0\2c2", 6);
}

static void
test_large_out(Fixture *f, gconstpointer data)
{
    send_mix(f, 100);
    send_mix(f, 65535);
    send_mix(f, 1000000);
}

/* Every writev takes few bytes: head and payload are cut everywhere. */
static void
test_large_out_cut(Fixture *f, gconstpointer data)
{
    for (gsize max = 1; max < 14; max++) {
        calls.write_max = max;
        send_mix(f, 40);
    }
}

static void
test_drained(Fixture *f, gconstpointer data)
{
    static guint8 payload[900000];
    g_autoptr(GByteArray) bytes = NULL;

    milter_conn_send_large(f->conn, 'B', payload, sizeof(payload));
    turn(f);
    g_assert_cmpuint(milter_conn_unsent(f->conn), >, 0);
    g_assert_cmpstr(f->trace->str, ==, "");
    bytes = drain(f, sizeof(payload) + 5);
    turn(f);
    g_assert_cmpstr(f->trace->str, ==, "drained ");
}

/* The other side takes no bytes any more: what it had said is read first. */
static void
test_deaf(Fixture *f, gconstpointer data)
{
    f->holds = FALSE;
    GIVE(f, "\0\0\0\2Na");
    calls.fault_call = CALL_WRITEV;
    calls.fault_error = EPIPE;
    calls.fault_at = 1;
    milter_conn_send_packet(f->conn, 'c', NULL, 0);
    turn(f);
    g_assert_cmpstr(f->trace->str, ==, "Na close:closed the connection ");
}

static void
test_deaf_while_held(Fixture *f, gconstpointer data)
{
    f->holds = TRUE;
    GIVE(f, "\0\0\0\2Na");
    turn(f);
    calls.fault_call = CALL_WRITEV;
    calls.fault_error = ECONNRESET;
    calls.fault_at = 1;
    milter_conn_send_packet(f->conn, 'c', NULL, 0);
    turn(f);
    g_assert_true(g_str_has_suffix(f->trace->str, "close:closed the connection "));
}

static void
test_write_error(Fixture *f, gconstpointer data)
{
    calls.fault_call = CALL_WRITEV;
    calls.fault_error = ENOSPC;
    calls.fault_at = 1;
    milter_conn_send_packet(f->conn, 'c', NULL, 0);
    turn(f);
    g_assert_cmpstr(f->trace->str, ==, "close:No space left on device ");
    g_assert_cmpint(milter_conn_errno(f->conn), ==, ENOSPC);
}

/* What is queued goes out when the conn is freed. */
static void
test_free_sends(Fixture *f, gconstpointer data)
{
    char buffer[16];

    milter_conn_send_packet(f->conn, 'Q', NULL, 0);
    milter_conn_free(&f->conn);
    milter_conn_free(&f->conn);
    g_assert_cmpint(read(f->fd, buffer, sizeof(buffer)), ==, 5);
    g_assert_cmpint(read(f->fd, buffer, sizeof(buffer)), ==, 0);
}

static void
test_connect(Fixture *f, gconstpointer data)
{
    g_autofree char *directory = g_dir_make_tmp("conn-XXXXXX", NULL);
    g_autofree char *spec = g_strdup_printf("unix:%s/s", directory);
    MilterEndpoint *endpoint = milter_endpoint_parse(spec, NULL);
    MilterConn *conn = milter_conn_new_connect(f->loop, endpoint, &handler, f);
    int listener, accepted;

    /* Nobody there: told from the loop, not from the call. */
    g_assert_cmpstr(f->trace->str, ==, "");
    turn(f);
    g_assert_cmpstr(f->trace->str, ==, "close:No such file or directory ");
    milter_conn_free(&conn);
    g_string_truncate(f->trace, 0);

    listener = milter_endpoint_listen(endpoint, FALSE, NULL);
    conn = milter_conn_new_connect(f->loop, endpoint, &handler, f);
    milter_conn_send_packet(conn, 'O', "x", 1);
    turn(f);
    g_assert_cmpstr(f->trace->str, ==, "connect ");
    accepted = accept(listener, NULL, NULL);
    g_assert_cmpint(write(accepted, "\0\0\0\1O", 5), ==, 5);
    turn(f);
    g_assert_cmpstr(f->trace->str, ==, "connect O ");
    milter_conn_ack_now(conn);
    milter_conn_free(&conn);
    close(accepted);
    close(listener);
    (void)g_unlink(milter_endpoint_path(endpoint));
    (void)g_rmdir(directory);
    milter_endpoint_free(&endpoint);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(path, func) g_test_add("/conn/" path, Fixture, NULL, set_up, func, tear_down)
    ADD("split", test_split);
    ADD("large-in", test_large_in);
    ADD("bad-length", test_bad_length);
    ADD("end", test_end);
    ADD("freed-in-callback", test_freed_in_callback);
    ADD("freed-in-close", test_freed_in_close);
    ADD("hold", test_hold);
    ADD("hold-limit", test_hold_limit);
    ADD("end-while-held", test_end_while_held);
    ADD("one-write-a-turn", test_one_write_a_turn);
    ADD("large-out", test_large_out);
    ADD("large-out-cut", test_large_out_cut);
    ADD("drained", test_drained);
    ADD("deaf", test_deaf);
    ADD("deaf-while-held", test_deaf_while_held);
    ADD("write-error", test_write_error);
    ADD("free-sends", test_free_sends);
    ADD("connect", test_connect);
    return g_test_run();
}
