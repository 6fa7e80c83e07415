/* libmilter-child.c - a real libmilter filter that adds one header
 *
 *     bench-libmilter-child SPEC
 *
 * libmilter writes an added header and the final reply in two pieces and leaves
 * Nagle's algorithm on.  The second piece then waits for an acknowledgement
 * that the other side delays by 40 ms, unless it acknowledges at once.  This
 * filter is the witness for that: all steps are on, with libmilter's defaults. */

#include "config.h"

#include <stdio.h>
#include <string.h>

#include <libmilter/mfapi.h>

static sfsistat
on_end_of_message(SMFICTX *context)
{
    if (smfi_addheader(context, "X-Bench", "added") != MI_SUCCESS)
        return SMFIS_TEMPFAIL;
    return SMFIS_CONTINUE;
}

/* A callback that is there makes libmilter ask for its step. */
static sfsistat
on_connect(SMFICTX *context, char *host, _SOCK_ADDR *address)
{
    return SMFIS_CONTINUE;
}

static sfsistat
on_text(SMFICTX *context, char *text)
{
    return SMFIS_CONTINUE;
}

static sfsistat
on_arguments(SMFICTX *context, char **arguments)
{
    return SMFIS_CONTINUE;
}

static sfsistat
on_header(SMFICTX *context, char *name, char *value)
{
    return SMFIS_CONTINUE;
}

static sfsistat
on_step(SMFICTX *context)
{
    return SMFIS_CONTINUE;
}

static sfsistat
on_body(SMFICTX *context, unsigned char *chunk, size_t size)
{
    return SMFIS_CONTINUE;
}

int
main(int argc, char **argv)
{
    struct smfiDesc filter = {
        .xxfi_name = "bench",
        .xxfi_version = SMFI_VERSION,
        .xxfi_flags = SMFIF_ADDHDRS,
        .xxfi_connect = on_connect,
        .xxfi_helo = on_text,
        .xxfi_envfrom = on_arguments,
        .xxfi_envrcpt = on_arguments,
        .xxfi_header = on_header,
        .xxfi_eoh = on_step,
        .xxfi_body = on_body,
        .xxfi_eom = on_end_of_message,
        .xxfi_data = on_step,
    };

    if (argc != 2) {
        fprintf(stderr, "usage: bench-libmilter-child SPEC\n");
        return 1;
    }
    if (smfi_register(filter) != MI_SUCCESS || smfi_setconn(argv[1]) != MI_SUCCESS) {
        fprintf(stderr, "bench-libmilter-child: cannot use %s\n", argv[1]);
        return 1;
    }
    return smfi_main() == MI_SUCCESS ? 0 : 1;
}
