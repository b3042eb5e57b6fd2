-- Queues what is new. One run serves many webhooks.
-- KEYS[1] the queue; then for each arrival its `seen` key, and for an own message also `sent` and `sending`.
-- ARGV[1] ms to remember an event; then for each arrival payload and '1' for an own message or '';
-- for an own message also fingerprint and message id. -> for each arrival 0 queued, 1 repeated, 2 echo
local QUEUE, REMEMBER = KEYS[1], ARGV[1]
local key, argument = 1, 1

local function next_key()
  key = key + 1
  return KEYS[key]
end

local function next_argument()
  argument = argument + 1
  return ARGV[argument]
end

-- An echo that overtakes the vendor's answer uses up one pending send and leaves its id as a note, so that
-- the sender does not take it off a second time. The note comes first: an emptied hash would lose its TTL.
local function overtakes_a_send(sending, fingerprint, id)
  local pending = tonumber(fingerprint ~= '' and redis.call('HGET', sending, fingerprint) or 0)
  if pending < 1 then return false end
  redis.call('HSET', sending, 'echo:' .. id, '1')
  if pending == 1 then
    redis.call('HDEL', sending, fingerprint)
  else
    redis.call('HINCRBY', sending, fingerprint, -1)
  end
  return true
end

local answers = {}
while key < #KEYS do
  local seen, sent, sending = next_key(), nil, nil
  local payload, own, fingerprint, id = next_argument(), next_argument() == '1', nil, nil
  if own then
    sent, sending = next_key(), next_key()
    fingerprint, id = next_argument(), next_argument()
  end

  local answer = 0
  if redis.call('EXISTS', seen) == 1 then
    answer = 1
  elseif own and (redis.call('EXISTS', sent) == 1 or overtakes_a_send(sending, fingerprint, id)) then
    answer = 2
  else
    redis.call('RPUSH', QUEUE, payload) -- before `seen`: an error in between repeats, it does not lose
  end
  if answer ~= 1 then redis.call('SET', seen, '1', 'PX', REMEMBER) end
  answers[#answers + 1] = answer
end
return answers
