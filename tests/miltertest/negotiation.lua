-- What the milter asks for and what it does not.
dofile("mta.lua")

local conn = connect()
for name, action in pairs({
  ADDHDRS = SMFIF_ADDHDRS, CHGHDRS = SMFIF_CHGHDRS, ADDRCPT = SMFIF_ADDRCPT, DELRCPT = SMFIF_DELRCPT,
  ADDRCPT_PAR = SMFIF_ADDRCPT_PAR, QUARANTINE = SMFIF_QUARANTINE, SETSYMLIST = SMFIF_SETSYMLIST,
}) do
  check(mt.test_action(conn, action), "the action " .. name .. " is not asked for")
end
for name, action in pairs({ CHGBODY = SMFIF_CHGBODY, CHGFROM = SMFIF_CHGFROM }) do
  check(not mt.test_action(conn, action), "the action " .. name .. " is asked for")
end
-- Not sent: what decides nothing, the body first of all. Sent and not answered: what needs no answer.
for name, option in pairs({
  NOBODY = SMFIP_NOBODY, NOHELO = SMFIP_NOHELO, NODATA = SMFIP_NODATA, NOEOH = SMFIP_NOEOH,
  NOUNKNOWN = SMFIP_NOUNKNOWN, NR_CONN = SMFIP_NR_CONN, NR_MAIL = SMFIP_NR_MAIL, NR_HDR = SMFIP_NR_HDR,
  HDR_LEADSPC = SMFIP_HDR_LEADSPC,
}) do
  check(mt.test_option(conn, option), "the option " .. name .. " is not asked for")
end
for name, option in pairs({
  NOCONNECT = SMFIP_NOCONNECT, NOMAIL = SMFIP_NOMAIL, NORCPT = SMFIP_NORCPT, NOHDRS = SMFIP_NOHDRS,
  NR_RCPT = SMFIP_NR_RCPT, RCPT_REJ = SMFIP_RCPT_REJ, SKIP = SMFIP_SKIP,
}) do
  check(not mt.test_option(conn, option), "the option " .. name .. " is asked for")
end
mt.disconnect(conn)
