-- Several messages of one connection: each has its own sender, recipients and headers.
dofile("mta.lua")

local conn = connect()
for round = 1, 3 do
  message(conn, friend, { "<anne@acme.example>" }, "Subject", " Dimanche " .. round)
  edited(conn, "the tag", MT_HDRCHANGE, "Subject", " [PERSO] Dimanche " .. round)
  message(conn, stranger, { "<anne@acme.example>" }, "Subject", " Lundi")
  unedited(conn, "a stranger's tag", MT_HDRCHANGE, "Subject", " [PERSO] Lundi")
  mail(conn, enemy)
  refused(conn, "<bob@acme.example>")
  mt.abort(conn)
end
mt.disconnect(conn)
