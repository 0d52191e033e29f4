-- A blocked sender's message is put on hold where all its recipients hold, and goes to the junk folder of one who does.
dofile("mta.lua")

local conn = connect()
message(conn, enemy, { "<dora@acme.example>" }, "Subject", " Gagnez")
edited(conn, "hold", MT_QUARANTINE, "held by perso-milter")
mt.disconnect(conn)

conn = connect()
message(conn, enemy, { "<dora@acme.example>", "<anne@acme.example>" }, "Subject", " Gagnez")
unedited(conn, "hold", MT_QUARANTINE)
edited(conn, "the junk folder", MT_RCPTADD, "<dora+Junk@acme.example>")
edited(conn, "the mailbox deleted", MT_RCPTDELETE, "<dora@acme.example>")
unedited(conn, "anne deleted", MT_RCPTDELETE, "<anne@acme.example>")
mt.disconnect(conn)
