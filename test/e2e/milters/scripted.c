/* scripted.c - a milter on the real libmilter that does what a script says
 *
 *     scripted SOCKET DIRECTORY
 *
 * Serves SOCKET (libmilter's spelling).  At the start of every connection DIRECTORY/script is read
 * (see script.h), and what the connection sees is written to DIRECTORY/log.NUMBER (see record.h).
 * So one process plays any number of scenarios. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "action.h"

enum {
    MAIL,
    RCPT,
    DATA,
    HEADER,
    EOH,
    BODY,
    EOM,
    ABORT,
    PER_MESSAGE,
    HELO = PER_MESSAGE,
    CONNECT,
    UNKNOWN,
    STEPS
};

typedef struct {
    Script *script;
    Record *record;
    guint msg;          /* MAILs seen */
    guint calls[STEPS]; /* how often a step was called; the first ones since the last MAIL */
    gsize body_size;    /* of this message, so far */
} Connection;

static const char *directory;

static Connection *
connection_of(SMFICTX *ctx)
{
    Connection *connection = smfi_getpriv(ctx);

    if (connection == NULL) {
        char *path = g_build_filename(directory, "script", NULL);

        connection = g_new0(Connection, 1);
        connection->script = script_load(path);
        connection->record = record_open(directory);
        smfi_setpriv(ctx, connection);
        g_free(path);
    }
    return connection;
}

/* Record a step with its words (already quoted), then its macros, and play the script. */
static sfsistat
play(SMFICTX *ctx, int step, const char *name, const char *arg, const char *words)
{
    Connection *c = connection_of(ctx);

    record_line(c->record, "%s%s%s", name, *words != '\0' ? " " : "", words);
    record_macros(c->record, ctx);
    c->calls[step]++;
    return action_play(ctx, c->script, c->record, name, c->msg, c->calls[step], arg);
}

static sfsistat
play_with(SMFICTX *ctx, int step, const char *name, const char *arg)
{
    char *quoted = record_quote(arg, strlen(arg));
    sfsistat status = play(ctx, step, name, arg, quoted);

    g_free(quoted);
    return status;
}

static sfsistat
on_negotiate(SMFICTX *ctx, unsigned long f0, unsigned long f1, unsigned long f2, unsigned long f3,
             unsigned long *pf0, unsigned long *pf1, unsigned long *pf2, unsigned long *pf3)
{
    Connection *c = connection_of(ctx);
    Negotiation asked = { f0, 0, SMFIS_CONTINUE };

    record_line(c->record, "negotiate actions=%#lx steps=%#lx", f0, f1);
    action_negotiate(ctx, c->script, c->record, &asked);
    *pf0 = asked.actions;
    *pf1 = asked.steps;
    *pf2 = *pf3 = 0;
    return asked.result;
}

static sfsistat
on_connect(SMFICTX *ctx, char *host, _SOCK_ADDR *address)
{
    char text[INET6_ADDRSTRLEN] = "";
    char *quoted = record_quote(host, strlen(host));
    char *words;
    sfsistat status;

    if (address == NULL) {
        words = g_strdup_printf("%s unknown", quoted);
    } else if (address->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)address;
        inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text));
        words = g_strdup_printf("%s inet %s port %u", quoted, text, ntohs(in->sin_port));
    } else if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
        inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof(text));
        words = g_strdup_printf("%s inet6 %s port %u", quoted, text, ntohs(in6->sin6_port));
    } else {
        words = g_strdup_printf("%s unix %s", quoted, ((struct sockaddr_un *)address)->sun_path);
    }
    status = play(ctx, CONNECT, "connect", host, words);
    g_free(words);
    g_free(quoted);
    return status;
}

static sfsistat
on_helo(SMFICTX *ctx, char *name)
{
    return play_with(ctx, HELO, "helo", name);
}

/* MAIL and RCPT: the address and the parameters. */
static sfsistat
play_envelope(SMFICTX *ctx, int step, const char *name, char **argv)
{
    GString *words = g_string_new(NULL);
    sfsistat status;

    for (char **arg = argv; *arg != NULL; arg++) {
        char *quoted = record_quote(*arg, strlen(*arg));
        g_string_append_printf(words, "%s%s", arg == argv ? "" : " ", quoted);
        g_free(quoted);
    }
    status = play(ctx, step, name, argv[0], words->str);
    g_string_free(words, TRUE);
    return status;
}

static sfsistat
on_mail(SMFICTX *ctx, char **argv)
{
    Connection *c = connection_of(ctx);

    c->msg++;
    c->body_size = 0;
    for (int step = 0; step < PER_MESSAGE; step++)
        c->calls[step] = 0;
    return play_envelope(ctx, MAIL, "mail", argv);
}

static sfsistat
on_rcpt(SMFICTX *ctx, char **argv)
{
    return play_envelope(ctx, RCPT, "rcpt", argv);
}

static sfsistat
on_data(SMFICTX *ctx)
{
    return play(ctx, DATA, "data", NULL, "");
}

static sfsistat
on_header(SMFICTX *ctx, char *name, char *value)
{
    char *quoted_name = record_quote(name, strlen(name));
    char *quoted_value = record_quote(value, strlen(value));
    char *words = g_strdup_printf("%s %s", quoted_name, quoted_value);
    sfsistat status = play(ctx, HEADER, "header", name, words);

    g_free(words);
    g_free(quoted_value);
    g_free(quoted_name);
    return status;
}

static sfsistat
on_eoh(SMFICTX *ctx)
{
    return play(ctx, EOH, "eoh", NULL, "");
}

static sfsistat
on_body(SMFICTX *ctx, unsigned char *bytes, size_t size)
{
    Connection *c = connection_of(ctx);
    char *quoted = record_quote((const char *)bytes, size);
    char *words = g_strdup_printf("%zu %s", size, quoted);
    sfsistat status;

    c->body_size += size;
    status = play(ctx, BODY, "body", NULL, words);
    g_free(words);
    g_free(quoted);
    return status;
}

static sfsistat
on_eom(SMFICTX *ctx)
{
    Connection *c = connection_of(ctx);
    char *words = g_strdup_printf("body=%" G_GSIZE_FORMAT, c->body_size);
    sfsistat status = play(ctx, EOM, "eom", NULL, words);

    g_free(words);
    return status;
}

static sfsistat
on_unknown(SMFICTX *ctx, const char *command)
{
    return play_with(ctx, UNKNOWN, "unknown", command);
}

static sfsistat
on_abort(SMFICTX *ctx)
{
    Connection *c = connection_of(ctx);

    record_line(c->record, "abort");
    c->calls[ABORT]++;
    return action_play(ctx, c->script, c->record, "abort", c->msg, c->calls[ABORT], NULL);
}

static sfsistat
on_close(SMFICTX *ctx)
{
    Connection *c = smfi_getpriv(ctx);

    if (c == NULL)
        return SMFIS_CONTINUE;
    (void)action_play(ctx, c->script, c->record, "close", c->msg, 1, NULL);
    smfi_setpriv(ctx, NULL);
    script_free(&c->script);
    record_close(&c->record);
    g_free(c);
    return SMFIS_CONTINUE;
}

int
main(int argc, char **argv)
{
    struct smfiDesc description = {
        .xxfi_name = (char *)"scripted",
        .xxfi_version = SMFI_VERSION,
        .xxfi_flags = SMFIF_ADDHDRS | SMFIF_CHGBODY | SMFIF_ADDRCPT | SMFIF_DELRCPT |
                      SMFIF_CHGHDRS | SMFIF_QUARANTINE | SMFIF_CHGFROM | SMFIF_ADDRCPT_PAR |
                      SMFIF_SETSYMLIST,
        .xxfi_connect = on_connect,
        .xxfi_helo = on_helo,
        .xxfi_envfrom = on_mail,
        .xxfi_envrcpt = on_rcpt,
        .xxfi_header = on_header,
        .xxfi_eoh = on_eoh,
        .xxfi_body = on_body,
        .xxfi_eom = on_eom,
        .xxfi_abort = on_abort,
        .xxfi_close = on_close,
        .xxfi_unknown = on_unknown,
        .xxfi_data = on_data,
        .xxfi_negotiate = on_negotiate,
    };

    if (argc != 3) {
        fprintf(stderr, "usage: scripted SOCKET DIRECTORY\n");
        return 2;
    }
    directory = argv[2];
    signal(SIGPIPE, SIG_IGN);
    if (smfi_setconn(argv[1]) != MI_SUCCESS || smfi_register(description) != MI_SUCCESS ||
        smfi_setbacklog(200) != MI_SUCCESS || smfi_opensocket(true) != MI_SUCCESS) {
        fprintf(stderr, "scripted: cannot listen on %s\n", argv[1]);
        return 1;
    }
    return smfi_main() == MI_SUCCESS ? 0 : 1;
}
