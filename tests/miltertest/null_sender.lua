-- The null sender is nobody, and a bounce arrives as it is; its From header may still be somebody.
dofile("mta.lua")

local conn = connect()
message(conn, "<>", { "<bob@acme.example>", "<anne@acme.example>" }, "Subject", " Undelivered")
untouched(conn)
mt.disconnect(conn)

conn = connect()
message(conn, "<>", { "<anne@acme.example>" }, "From", " " .. friend, "Subject", " Absente")
edited(conn, "the tag", MT_HDRCHANGE, "Subject", " [PERSO] Absente")
mt.disconnect(conn)
