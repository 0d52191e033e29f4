-- X-Perso headers that came with a message are removed, whoever it is for.
dofile("mta.lua")

local conn = connect()
message(conn, stranger, { "<nobody@elsewhere.example>" }, "X-Perso", " v=1; k=00000000; s=AAAA", "X-Other", " kept")
edited(conn, "X-Perso removed", MT_HDRDELETE, "X-Perso")
unedited(conn, "another header removed", MT_HDRDELETE, "X-Other")
mt.disconnect(conn)
