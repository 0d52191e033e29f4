-- Into a folder: the recipient with the folder is added, the one without is deleted, and no header changes.
dofile("mta.lua")

local conn = connect()
message(conn, friend, { "<carla@acme.example>" }, "Subject", " Dimanche")
edited(conn, "the folder", MT_RCPTADD, "<carla+Perso@acme.example>")
edited(conn, "the mailbox deleted", MT_RCPTDELETE, "<carla@acme.example>")
unedited(conn, "a header", MT_HDRCHANGE)
mt.disconnect(conn)

-- Already there: added and deleted it would be lost.
conn = connect()
message(conn, friend, { "<carla+Perso@acme.example>" }, "Subject", " Dimanche")
unedited(conn, "an addition", MT_RCPTADD, "<carla+Perso@acme.example>")
unedited(conn, "a deletion", MT_RCPTDELETE, "<carla+Perso@acme.example>")
mt.disconnect(conn)

-- A stranger who types the folder is not let into it.
conn = connect()
message(conn, stranger, { "<carla+Perso@acme.example>" }, "Subject", " Dimanche")
edited(conn, "the mailbox", MT_RCPTADD, "<carla@acme.example>")
edited(conn, "the folder deleted", MT_RCPTDELETE, "<carla+Perso@acme.example>")
mt.disconnect(conn)

-- A blocked sender's message goes to the junk folder of who wants it there.
conn = connect()
message(conn, enemy, { "<hugo@acme.example>" }, "Subject", " Gagnez")
edited(conn, "the junk folder", MT_RCPTADD, "<hugo+Junk@acme.example>")
edited(conn, "the mailbox deleted", MT_RCPTDELETE, "<hugo@acme.example>")
mt.disconnect(conn)
