-- claim_head --
-- The first message of a conversation that waits to be sent, locked, with all that it takes to send it. Those
-- behind it wait too, because the customer reads them in order: also where the first is skipped, being locked.
-- $1 conversation
SELECT message AS message, account AS account, conversation.channel, conversation.customer_address,
    conversation.our_address, known.reply_address
FROM messages AS message
JOIN conversations AS conversation USING (owner_id, conv_id)
JOIN twilio_accounts AS account USING (owner_id, twilio_account_id)
LEFT JOIN contact_addresses AS known
    ON known.owner_id = conversation.owner_id AND known.channel = conversation.channel
    AND known.address = conversation.customer_address
WHERE message.conv_id = $1 AND message.msg_id = (
        SELECT msg_id FROM messages
        WHERE conv_id = $1 AND delivery_status = 'QUEUED' AND provider_sid IS NULL AND direction = 'OUTBOUND'
        ORDER BY seq LIMIT 1
    )
    AND message.delivery_status = 'QUEUED' AND message.provider_sid IS NULL
FOR UPDATE OF message SKIP LOCKED
