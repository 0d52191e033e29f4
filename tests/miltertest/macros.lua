-- Macros: mail of an authenticated user is outbound, so that the folder they type is not taken off; that of a stranger is
-- inbound. Whether somebody is authenticated is forgotten with the message.
dofile("mta.lua")

local conn = connect()
mt.macro(conn, SMFIC_MAIL, "i", "4ABC", "{auth_authen}", "anne")
message(conn, stranger, { "<carla+Perso@acme.example>" }, "Subject", " Note")
unedited(conn, "the folder taken off", MT_RCPTDELETE, "<carla+Perso@acme.example>")
mt.disconnect(conn)

conn = connect()
mt.macro(conn, SMFIC_MAIL, "{auth_authen}", "anne")
mail(conn, stranger)
mt.abort(conn)
mt.macro(conn, SMFIC_MAIL, "i", "4ABD")
message(conn, stranger, { "<carla+Perso@acme.example>" }, "Subject", " Note")
edited(conn, "the folder taken off", MT_RCPTDELETE, "<carla+Perso@acme.example>")
mt.disconnect(conn)
