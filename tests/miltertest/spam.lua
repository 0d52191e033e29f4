-- A wanted sender's message loses the spam marks of an earlier filter: headers, and the mark before the Subject.
dofile("mta.lua")

local conn = connect()
message(conn, friend, { "<fay@acme.example>" }, "X-Spam-Flag", " YES", "Subject", " ***SPAM*** Dimanche")
edited(conn, "the header removed", MT_HDRDELETE, "X-Spam-Flag")
edited(conn, "the Subject without its mark", MT_HDRCHANGE, "Subject", " Dimanche")
mt.disconnect(conn)

conn = connect()
message(conn, stranger, { "<fay@acme.example>" }, "X-Spam-Flag", " YES", "Subject", " ***SPAM*** Dimanche")
untouched(conn)
mt.disconnect(conn)
