-- A personal message gets the tag before its Subject; one that has it, and one of nobody's, stays as it is.
dofile("mta.lua")

local conn = connect()
message(conn, friend, { "<anne@acme.example>" }, "From", " Friend " .. friend, "Subject", " Dimanche\n\tmidi ?")
edited(conn, "the tag", MT_HDRCHANGE, "Subject", " [PERSO] Dimanche\n\tmidi ?")
unedited(conn, "a new header", MT_HDRADD)
mt.disconnect(conn)

conn = connect()
message(conn, friend, { "<anne@acme.example>" }, "Subject", " Re: [perso] Dimanche")
untouched(conn)
mt.disconnect(conn)

conn = connect()
message(conn, stranger, { "<anne@acme.example>" }, "Subject", " Dimanche")
untouched(conn)
mt.disconnect(conn)
