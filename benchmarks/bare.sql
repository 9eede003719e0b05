-- One transfer of 1 in PostgreSQL alone: the checks and rows of the service, without HTTP or login.

CREATE SEQUENCE bare_numbers;
CREATE TABLE bare_accounts AS
    SELECT row_number() OVER (ORDER BY key) AS number, key FROM accounts WHERE holder_id IS NOT NULL;
ALTER TABLE bare_accounts ADD PRIMARY KEY (number);
ANALYZE bare_accounts;
CREATE TABLE bare_begin AS SELECT max(key) AS key FROM transfers;

CREATE FUNCTION bare_transfer(source_number bigint, destination_number bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    new_number bigint := nextval('bare_numbers');
    new_key bigint := (SELECT key FROM bare_begin) + new_number;
    new_id text := 'trf_' || lpad(new_number::text, 26, '0');
    request text := 'bare-' || new_number;
    source_at bigint := (SELECT key FROM bare_accounts WHERE number = source_number);
    destination_at bigint := (SELECT key FROM bare_accounts WHERE number = destination_number);
    source accounts;
    destination accounts;
    booked bigint;
BEGIN
    -- In the order of keys, so that nobody waits in a ring.
    PERFORM 1 FROM accounts WHERE key IN (source_at, destination_at) ORDER BY key FOR NO KEY UPDATE;
    SELECT * INTO source FROM accounts WHERE key = source_at;
    SELECT * INTO destination FROM accounts WHERE key = destination_at;
    IF EXISTS (SELECT FROM idempotency_keys WHERE caller = source.owner_id AND key = request) THEN
        RAISE EXCEPTION 'the key has been used';
    END IF;
    IF source.status <> 'active' OR destination.status = 'closed' OR source.currency <> destination.currency
        OR source.balance - source.held + source.overdraft_limit < 1 THEN
        RAISE EXCEPTION 'refused';
    END IF;
    booked := greatest(
        (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
        source.last_booked_at + 1,
        destination.last_booked_at + 1
    );
    INSERT INTO transfers (
        key, id, kind, status, source_key, destination_key, amount, currency, initiated_by, created_at,
        booked_at, remaining, source_balance, source_held, source_available
    ) VALUES (
        new_key, new_id, 'transfer', 'posted', source.key, destination.key, 1, source.currency,
        source.owner_id, booked, booked, 0, source.balance - 1, source.held,
        source.balance - 1 - source.held + source.overdraft_limit
    );
    INSERT INTO entries (
        account_key, sequence, id, transfer_key, amount, balance_after, booked_at, value_date
    ) VALUES
        (source.key, source.last_sequence + 1, 'txn_' || lpad((2 * new_number)::text, 26, '0'), new_key,
            -1, source.balance - 1, booked, current_date),
        (destination.key, destination.last_sequence + 1, 'txn_' || lpad((2 * new_number + 1)::text, 26, '0'),
            new_key, 1, destination.balance + 1, booked, current_date);
    INSERT INTO idempotency_keys (caller, key, fingerprint, status, location, created_at)
    VALUES (source.owner_id, request, sha256(request::bytea), 201, '/v1/transfers/' || new_id, booked);
    UPDATE accounts SET balance = balance - 1, last_sequence = last_sequence + 1, last_booked_at = booked,
        version = version + 1 WHERE key = source.key;
    UPDATE accounts SET balance = balance + 1, last_sequence = last_sequence + 1, last_booked_at = booked,
        version = version + 1 WHERE key = destination.key;
END $$;
