-- An MTA that offers no step to leave out and no reply to save is sent a reply to every step, and does the edits.
dofile("mta.lua")

local conn = connect(6, SMFIF_ADDHDRS + SMFIF_CHGHDRS + SMFIF_ADDRCPT + SMFIF_DELRCPT, 0)
check(mt.getreply(conn) == SMFIR_CONTINUE, "connect")
local function answered(what, failure)
  check(failure == nil and mt.getreply(conn) == SMFIR_CONTINUE, what .. " is not answered")
end
answered("HELO", mt.helo(conn, "mx.example.net"))
answered("an unknown command", mt.unknown(conn, "XYZZY"))
answered("MAIL", mt.mailfrom(conn, friend))
answered("RCPT", mt.rcptto(conn, "<anne@acme.example>"))
answered("DATA", mt.data(conn))
answered("a header", mt.header(conn, "Subject", "Dimanche"))
answered("end of headers", mt.eoh(conn))
answered("a body", mt.bodystring(conn, "Bonjour\r\n"))
eom(conn)
-- Without HDR_LEADSPC the blank after the colon is the MTA's.
edited(conn, "the tag", MT_HDRCHANGE, "Subject", "[PERSO] Dimanche")
mt.disconnect(conn)
