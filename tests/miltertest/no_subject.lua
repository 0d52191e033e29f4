-- A personal message without a Subject gets one.
dofile("mta.lua")

local conn = connect()
message(conn, friend, { "<anne@acme.example>" }, "From", " " .. friend)
edited(conn, "a Subject", MT_HDRADD, "Subject", " [PERSO]")
unedited(conn, "a change", MT_HDRCHANGE)
mt.disconnect(conn)
