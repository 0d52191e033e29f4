-- A blocked envelope sender is refused at RCPT by the one who blocks them, and by nobody else.
dofile("mta.lua")

local conn = connect()
mail(conn, enemy)
refused(conn, "<bob@acme.example>")
rcpt(conn, "<anne@acme.example>")
refused(conn, "<BOB@acme.example>")
headers(conn, "Subject", " Gagnez")
eom(conn)
untouched(conn)
mt.disconnect(conn)
