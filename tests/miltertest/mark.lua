-- The signed mark: a header of ours with a signature, nothing else.
dofile("mta.lua")

local conn = connect()
message(conn, friend, { "<eva@acme.example>" }, "From", " " .. friend, "Subject", " Dimanche")
edited(conn, "the mark", MT_HDRADD, "X-Perso")
local mark = mt.getheader(conn, "X-Perso", 0)
check(string.match(mark, "^ v=1; k=%x%x%x%x%x%x%x%x; s=[%w+/]+$"), "the mark is " .. tostring(mark))
unedited(conn, "the Subject", MT_HDRCHANGE)
mt.disconnect(conn)
