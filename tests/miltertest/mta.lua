-- What the scripts share: an MTA's side of a conversation, with a check at each step. A check that fails names what it
-- missed and ends the script, and miltertest with it, in an error.

-- Who is who: see tests/miltertest.rs.
friend = "<friend@famille.example>"
enemy = "<enemy@spam.example>"
stranger = "<stranger@elsewhere.example>"

function check(holds, what)
  if not holds then
    mt.echo(what) -- miltertest does not show the text of an error.
    error(what)
  end
end

-- The step was sent, and got this reply; nil where none is due.
local function step(conn, what, failure, reply)
  check(failure == nil, what .. ": " .. tostring(failure))
  if reply ~= nil then
    local found = mt.getreply(conn)
    check(found == reply, what .. ": the reply is '" .. string.char(found) .. "', not '" .. string.char(reply) .. "'")
  end
end

-- Negotiates, by default as Postfix does. miltertest takes the two sets of flags the other way round than its manual says.
function negotiate(conn, version, actions, protocol)
  return mt.negotiate(conn, version, protocol, actions)
end

-- Connects, offers what Postfix offers or what is given, and tells where the SMTP client comes from.
function connect(version, actions, protocol)
  local conn = mt.connect(socket, 200, 0.05)
  check(conn ~= nil, "the milter does not listen")
  step(conn, "negotiation", negotiate(conn, version, actions, protocol))
  step(conn, "connect", mt.conninfo(conn, "mx.example.net", "192.0.2.1"))
  return conn
end

function mail(conn, sender)
  step(conn, "MAIL " .. sender, mt.mailfrom(conn, sender))
end

-- A recipient, perhaps with ESMTP arguments, who is accepted.
function rcpt(conn, recipient, ...)
  step(conn, "RCPT " .. recipient, mt.rcptto(conn, recipient, ...), SMFIR_CONTINUE)
end

-- A recipient who is refused with a text.
function refused(conn, recipient)
  step(conn, "RCPT " .. recipient, mt.rcptto(conn, recipient), SMFIR_REPLYCODE)
end

-- Headers as pairs of name and value; a value brings its leading blank, as SMFIP_HDR_LEADSPC asks.
function headers(conn, ...)
  local pairs = { ... }
  for at = 1, #pairs, 2 do
    step(conn, "header " .. pairs[at], mt.header(conn, pairs[at], pairs[at + 1]))
  end
end

-- End of message, answered like this: continue, where nothing is said.
function eom(conn, reply)
  step(conn, "end of message", mt.eom(conn), reply or SMFIR_CONTINUE)
end

-- A message to its end: sender, recipients, headers.
function message(conn, sender, recipients, ...)
  mail(conn, sender)
  for _, recipient in ipairs(recipients) do
    rcpt(conn, recipient)
  end
  headers(conn, ...)
  eom(conn)
end

-- The milter asked for this edit, or for no such edit.
function edited(conn, what, ...)
  check(mt.eom_check(conn, ...), "missing: " .. what)
end

function unedited(conn, what, ...)
  check(not mt.eom_check(conn, ...), "unwanted: " .. what)
end

-- No edit of any kind.
function untouched(conn)
  unedited(conn, "a header added", MT_HDRADD)
  unedited(conn, "a header inserted", MT_HDRINSERT)
  unedited(conn, "a header changed", MT_HDRCHANGE)
  unedited(conn, "a header deleted", MT_HDRDELETE)
  unedited(conn, "a body", MT_BODYCHANGE)
  unedited(conn, "quarantine", MT_QUARANTINE)
end
