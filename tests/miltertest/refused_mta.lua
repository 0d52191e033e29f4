-- An MTA that lets the milter change no header cannot be served: the milter parts from it.
dofile("mta.lua")

local conn = mt.connect(socket, 200, 0.05)
local failure = negotiate(conn, 6, SMFIF_ADDRCPT + SMFIF_DELRCPT, 0)
check(failure ~= nil, "an MTA without header edits is taken")

-- The next one is.
local other = connect()
message(other, friend, { "<anne@acme.example>" }, "Subject", " Dimanche")
edited(other, "the tag", MT_HDRCHANGE, "Subject", " [PERSO] Dimanche")
mt.disconnect(other)
