-- Where only the From header shows who it is, the message is refused at its end if all its recipients refuse.
dofile("mta.lua")

local conn = connect()
mail(conn, stranger)
rcpt(conn, "<bob@acme.example>")
headers(conn, "From", " " .. enemy, "Subject", " Gagnez")
eom(conn, SMFIR_REPLYCODE)
unedited(conn, "an edit", MT_HDRCHANGE)
mt.disconnect(conn)

-- Others are addressed: it reaches them, and the one who refuses gets no copy.
conn = connect()
message(conn, stranger, { "<bob@acme.example>", "<anne@acme.example>" }, "From", " " .. enemy, "Subject", " Gagnez")
edited(conn, "bob deleted", MT_RCPTDELETE, "<bob@acme.example>")
unedited(conn, "anne deleted", MT_RCPTDELETE, "<anne@acme.example>")
mt.disconnect(conn)
