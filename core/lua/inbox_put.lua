-- Queues what is new. One run serves many webhooks.
-- KEYS[1] the queue; then for each arrival its `seen` key, and for an own message also `sent` and `sending`.
-- ARGV[1] ms to remember an event; then for each arrival payload and '1' for an own message, '-' for one that
-- is of the moment and not remembered, or ''; for an own message also fingerprint and message id.
-- -> for each arrival 0 queued, 1 repeated, 2 echo, 3 passed on
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

local function count_beginning_with(prefix, fields)
  local count = 0
  for _, field in ipairs(fields) do
    if string.sub(field, 1, #prefix) == prefix then count = count + 1 end
  end
  return count
end

-- An own message that looks like a send under way is taken for its echo, once per send. It is noted with its
-- payload: the sender, as soon as it knows the vendor's id, queues what was an operator's (sending_settle.lua).
local function overtakes_a_send(sending, fingerprint, id, payload)
  if fingerprint == '' then return false end
  local fields, note = redis.call('HKEYS', sending), 'echo:' .. fingerprint .. ':'
  local open = count_beginning_with('open:' .. fingerprint .. ':', fields)
  if open <= count_beginning_with(note, fields) then return false end
  redis.call('HSET', sending, note .. id, payload)
  return true
end

local answers = {}
while key < #KEYS do
  local seen, sent, sending = next_key(), nil, nil
  local payload, kind, fingerprint, id = next_argument(), next_argument(), nil, nil
  local own, passes = kind == '1', kind == '-'
  if own then
    sent, sending = next_key(), next_key()
    fingerprint, id = next_argument(), next_argument()
  end

  local answer = 0
  if passes then
    redis.call('RPUSH', QUEUE, payload)
    answer = 3
  elseif redis.call('EXISTS', seen) == 1 then
    redis.pcall('INCR', seen) -- for those who trace; keeps its time to live, and may fail when memory is full
    answer = 1
  elseif own and (redis.call('EXISTS', sent) == 1 or overtakes_a_send(sending, fingerprint, id, payload)) then
    answer = 2
  else
    redis.call('RPUSH', QUEUE, payload) -- before `seen`: an error in between repeats, it does not lose
  end
  if answer ~= 1 and not passes then redis.call('SET', seen, '1', 'PX', REMEMBER) end
  answers[#answers + 1] = answer
end
return answers
