history-title = History
history-lead =
    { $days ->
        [one] What became of your messages in the last day, as your lists decided. Never the subject nor the content.
       *[other] What became of your messages in the last { $days } days, as your lists decided. Never the subject nor the content.
    }
history-paste = Explain another message
history-off-title = The history is off
history-off-what = If you switch it on, each message addressed to you leaves a line: the time, the sender, what became of it and why. It will also tell you how many messages an entry would have matched, before you add it.
history-off-who =
    { $days ->
        [one] Each line is sealed for you alone, even against the server that writes it, and erased after one day. You can erase all of it at any time.
       *[other] Each line is sealed for you alone, even against the server that writes it, and erased after { $days } days. You can erase all of it at any time.
    }
history-on = Switch my history on
history-kept = Your history is on: the next messages will be in it.
history-incomplete = The history is incomplete.
history-incomplete-days = Some messages could not be noted: { $days }. They were delivered as usual.
history-empty-title = No message yet
history-empty-text = Messages received from now on will appear here, some seconds after they arrive.
history-rows =
    { $all ->
        [one] One message
       *[other] Messages { $first } to { $last } of { $all }, newest first
    }
history-sender = Sender
history-when = When
history-result = Result
history-actions = Actions
history-message = message
history-altered = This line was altered in the database: it cannot be read.
history-no-sender = Without a readable sender
history-why = Why?
history-to-personal = Personal
history-to-black = Block
history-to-white = Accept
history-pages = Pages of the history
history-newer = Newer
history-older = Older
history-past = A change governs the next message; messages already received do not change.
history-keeping-title = How long it is kept
history-keeping =
    { $days ->
        [one] Each line is erased after one day, and beyond 500 messages the oldest give way. You can erase all of it now, or stop.
       *[other] Each line is erased after { $days } days, and beyond 500 messages the oldest give way. You can erase all of it now, or stop.
    }
history-erase = Erase the history
history-erase-title = Erase the whole history?
history-erase-text = All lines are erased for good. Your lists and your messages do not change, and the next messages will be noted again.
history-erased = Your history is erased.
history-stop = Stop the history
history-stop-title = Stop and erase the history?
history-stop-text = Nothing is noted any more, and all lines are erased for good. Your lists and your messages do not change.
history-stopped = Your history is stopped and erased.
history-leave = Erase nothing
