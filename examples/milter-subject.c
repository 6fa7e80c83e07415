/* milter-subject.c - a small milter: changes the subject and adds a line to the body
 *
 *     milter-subject [--prefix TEXT] [--footer TEXT] [--verbose] SPEC
 *
 * Shows how a milter keeps something for each message.
 * Build it with: cc milter-subject.c $(pkg-config --cflags --libs libmilter-client) */
#include <libmilter-client/client.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY_MAX (10 * 1024 * 1024) /* a larger body stays as it is */

typedef struct {
    char *prefix;
    char *footer;
    gboolean is_verbose;
} Options;

/* What is known of the message that is coming in. */
typedef struct {
    char *subject; /* NULL: none has come */
    GByteArray *body;
    gboolean is_too_large;
} Message;

static void
message_free(gpointer object)
{
    Message *message = object;

    g_free(message->subject);
    g_byte_array_unref(message->body);
    g_free(message);
}

static MilterClientAnswer
on_mail(MilterClientSession *session, const MilterEnvelope *sender, gpointer data)
{
    Message *message = g_new0(Message, 1);

    message->body = g_byte_array_new();
    milter_client_set_data(session, message, message_free);
    return MILTER_CLIENT_CONTINUE;
}

static MilterClientAnswer
on_header(MilterClientSession *session, const MilterHeader *header, gpointer data)
{
    Message *message = milter_client_data(session);

    if (!message->subject && g_ascii_strcasecmp(header->name, "Subject") == 0)
        message->subject = g_strdup(header->value);
    return MILTER_CLIENT_CONTINUE;
}

static MilterClientAnswer
on_body(MilterClientSession *session, const guint8 *chunk, gsize size, gpointer data)
{
    Message *message = milter_client_data(session);

    if (message->body->len + size > BODY_MAX) {
        message->is_too_large = TRUE;
        return MILTER_CLIENT_SKIP;
    }
    g_byte_array_append(message->body, chunk, (guint)size);
    return MILTER_CLIENT_CONTINUE;
}

static void
tell(const Options *options, const char *subject, const Message *message)
{
    printf("milter-subject: changed the subject to \"%s\"\n", subject);
    if (!message->is_too_large)
        printf("milter-subject: replaced the body: %u bytes and \"%s\"\n", message->body->len,
               options->footer);
    fflush(stdout);
}

static MilterClientAnswer
on_eom(MilterClientSession *session, gpointer data)
{
    const Options *options = data;
    const Message *message = milter_client_data(session);
    g_autofree char *subject =
        g_strdup_printf("%s %s", options->prefix, message->subject ? message->subject : "");
    g_autofree char *footer = g_strconcat(options->footer, "\r\n", NULL);
    gboolean is_done = milter_client_change_header(session, "Subject", 1, subject);

    if (!message->is_too_large)
        is_done = is_done &&
                  milter_client_replace_body(session, message->body->data, message->body->len) &&
                  milter_client_replace_body(session, footer, strlen(footer));
    if (!is_done)
        fprintf(stderr, "milter-subject: the message cannot be changed\n");
    else if (options->is_verbose)
        tell(options, subject, message);
    milter_client_set_data(session, NULL, NULL);
    return MILTER_CLIENT_CONTINUE;
}

static const MilterClientSteps steps = {
    .actions = SMFIF_CHGHDRS | SMFIF_CHGBODY,
    .mail = on_mail,
    .header = on_header,
    .body = on_body,
    .eom = on_eom,
};

static gboolean
serve(const char *spec, Options *options, GError **error)
{
    MilterLoop *loop = milter_loop_new();
    MilterClient *client = milter_client_new(loop, &steps, options);
    gboolean is_listening = milter_client_listen(client, spec, error);

    if (is_listening)
        milter_client_run(client, 1);
    milter_client_free(&client);
    milter_loop_free(&loop);
    return is_listening;
}

int
main(int argc, char **argv)
{
    Options options = { 0 };
    const GOptionEntry entries[] = {
        { "prefix", 0, 0, G_OPTION_ARG_STRING, &options.prefix, "Put before the subject", "TEXT" },
        { "footer", 0, 0, G_OPTION_ARG_STRING, &options.footer, "Last line of the body", "TEXT" },
        { "verbose", 'v', 0, G_OPTION_ARG_NONE, &options.is_verbose, "Say what is done", NULL },
        G_OPTION_ENTRY_NULL,
    };
    g_autoptr(GOptionContext) context = g_option_context_new("SPEC - change subject and body");
    g_autoptr(GError) error = NULL;
    gboolean is_good;

    g_option_context_add_main_entries(context, entries, NULL);
    is_good = g_option_context_parse(context, &argc, &argv, &error);
    if (is_good && argc != 2) {
        fprintf(stderr, "milter-subject: give one SPEC to listen on, such as unix:/tmp/s.sock\n");
        return EXIT_FAILURE;
    }
    if (!options.prefix)
        options.prefix = g_strdup("[checked]");
    if (!options.footer)
        options.footer = g_strdup("-- passed milter-subject");
    if (is_good)
        is_good = serve(argv[1], &options, &error);
    if (!is_good)
        fprintf(stderr, "milter-subject: %s\n", error->message);
    g_free(options.prefix);
    g_free(options.footer);
    return is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}
