/*
 * A tagging milter on Sendmail's libmilter, as most milters in C are built: the second reference of the performance table
 * (benches/peers/run). A message from a sender of `perso-milter bench` that users hold as personal gets "[PERSO] " before
 * its Subject; nothing else is looked at. The look-up costs less than any list: a prefix, a number, a domain.
 *
 *   cc -O2 -o libmilter libmilter.c -lmilter -lpthread
 *   libmilter [--default-flags] ADDRESS
 *
 * It asks for the least that libmilter can: no event but MAIL, headers and the end of message, of which only the last is
 * answered. With --default-flags it negotiates nothing, and every event that it handles is answered.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <libmilter/mfapi.h>

#define TAG "[PERSO] "
#define POOL 10000
#define BACKLOG 4096

/* The message under way, one for each connection. */
struct message {
    int is_personal;
    char *subject;
};

static void forget(struct message *message)
{
    free(message->subject);
    message->subject = NULL;
    message->is_personal = 0;
}

/* contactN@friends.example, N below POOL, with or without brackets. */
static int is_personal(const char *sender)
{
    char *end;

    if (*sender == '<')
        sender++;
    if (strncasecmp(sender, "contact", 7) != 0 || !isdigit((unsigned char)sender[7]))
        return 0;
    if (strtoul(sender + 7, &end, 10) >= POOL)
        return 0;
    return strcasecmp(end, "@friends.example") == 0 || strcasecmp(end, "@friends.example>") == 0;
}

static sfsistat on_mail(SMFICTX *ctx, char **arguments)
{
    struct message *message = smfi_getpriv(ctx);

    if (message == NULL) {
        message = calloc(1, sizeof *message);
        if (message == NULL || smfi_setpriv(ctx, message) != MI_SUCCESS) {
            free(message);
            return SMFIS_TEMPFAIL;
        }
    }
    forget(message);
    message->is_personal = is_personal(arguments[0]);
    return SMFIS_CONTINUE;
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
    struct message *message = smfi_getpriv(ctx);

    if (message->is_personal && message->subject == NULL && strcasecmp(name, "Subject") == 0) {
        size_t length = strlen(value);

        message->subject = malloc(sizeof TAG + length);
        if (message->subject == NULL)
            return SMFIS_TEMPFAIL;
        memcpy(message->subject, TAG, sizeof TAG - 1);
        memcpy(message->subject + sizeof TAG - 1, value, length + 1);
    }
    return SMFIS_CONTINUE;
}

static sfsistat on_end_of_message(SMFICTX *ctx)
{
    struct message *message = smfi_getpriv(ctx);
    sfsistat status = SMFIS_CONTINUE;

    if (message->is_personal) {
        char *subject = message->subject != NULL ? message->subject : TAG;

        if (smfi_chgheader(ctx, "Subject", 1, subject) != MI_SUCCESS)
            status = SMFIS_TEMPFAIL;
    }
    forget(message);
    return status;
}

static sfsistat on_abort(SMFICTX *ctx)
{
    struct message *message = smfi_getpriv(ctx);

    if (message != NULL)
        forget(message);
    return SMFIS_CONTINUE;
}

static sfsistat on_close(SMFICTX *ctx)
{
    struct message *message = smfi_getpriv(ctx);

    if (message != NULL) {
        forget(message);
        free(message);
        smfi_setpriv(ctx, NULL);
    }
    return SMFIS_CONTINUE;
}

/* Every flag that spares an event, an answer or a macro, where the MTA offers it. */
static sfsistat on_negotiate(SMFICTX *ctx, unsigned long actions, unsigned long steps, unsigned long unused_2,
                             unsigned long unused_3, unsigned long *wanted_actions, unsigned long *wanted_steps,
                             unsigned long *wanted_2, unsigned long *wanted_3)
{
    const unsigned long skipped = SMFIP_NOCONNECT | SMFIP_NOHELO | SMFIP_NORCPT | SMFIP_NODATA | SMFIP_NOEOH |
                                  SMFIP_NOBODY | SMFIP_NOUNKNOWN;
    const unsigned long silent = SMFIP_NR_MAIL | SMFIP_NR_HDR;

    (void)unused_2;
    (void)unused_3;
    *wanted_actions = actions & (SMFIF_ADDHDRS | SMFIF_CHGHDRS | SMFIF_SETSYMLIST);
    *wanted_steps = steps & (skipped | silent);
    *wanted_2 = 0;
    *wanted_3 = 0;
    /* libmilter takes no empty list: one macro that is short, or not there at all. */
    if (*wanted_actions & SMFIF_SETSYMLIST)
        for (int stage = SMFIM_CONNECT; stage <= SMFIM_EOH; stage++)
            smfi_setsymlist(ctx, stage, "i");
    return SMFIS_CONTINUE;
}

int main(int count, char **arguments)
{
    int defaults = count == 3 && strcmp(arguments[1], "--default-flags") == 0;
    struct smfiDesc description = {
        .xxfi_name = "libmilter",
        .xxfi_version = SMFI_VERSION,
        .xxfi_flags = SMFIF_ADDHDRS | SMFIF_CHGHDRS | SMFIF_SETSYMLIST,
        .xxfi_envfrom = on_mail,
        .xxfi_header = on_header,
        .xxfi_eom = on_end_of_message,
        .xxfi_abort = on_abort,
        .xxfi_close = on_close,
        .xxfi_negotiate = defaults ? NULL : on_negotiate,
    };

    if (count != 2 + defaults) {
        fprintf(stderr, "usage: libmilter [--default-flags] ADDRESS\n");
        return 2;
    }
    if (smfi_register(description) != MI_SUCCESS || smfi_setconn(arguments[1 + defaults]) != MI_SUCCESS ||
        smfi_setbacklog(BACKLOG) != MI_SUCCESS || smfi_opensocket(1) != MI_SUCCESS) {
        fprintf(stderr, "libmilter: cannot listen on %s\n", arguments[1 + defaults]);
        return 1;
    }
    puts("ready");
    fflush(stdout);
    return smfi_main() == MI_SUCCESS ? 0 : 1;
}
