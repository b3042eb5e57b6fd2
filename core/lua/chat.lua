-- What every script knows about a chat. KEYS are those of core.keys.QueueKeys, in its order.
-- ARGV[1]: {channels = {name = {silence ms, longest ms, max count}}, default = the same, lease = ms, ...}
-- ARGV[2]: the caller's time, Unix ms.
local SOURCE, TAKEN, ITEMS, LAST, LOCK, OPENED, DEADLINES, PENDING, FENCE, DEAD, TYPED, CLOSING =
  unpack(KEYS)
local RULES = cjson.decode(ARGV[1])
local NOW = tonumber(ARGV[2])

-- When a chat of `count` messages closes; core.chats.Window.closes_at says the same.
local function closes_at(member, opened, last, count)
  local window = RULES.channels[string.match(member, '^[^:]*')] or RULES.default
  if window[3] > 0 and count >= window[3] then return NOW end
  return math.min(last + window[1], opened + window[2])
end

-- The earliest deadline; false when there is none.
local function next_deadline()
  local head = redis.call('ZRANGE', DEADLINES, 0, 0, 'WITHSCORES')
  return #head > 0 and tonumber(head[2])
end

local function opened_at(member)
  return tonumber(redis.call('HGET', OPENED, member)) or NOW
end

-- The last sign of the customer: a message, or typing since the chat was opened.
local function last_at(member)
  local last = tonumber(redis.pcall('GET', LAST .. member)) or NOW
  return math.max(last, tonumber(redis.call('HGET', TYPED, member)) or 0)
end

-- When a chat of `count` messages is due: now, when something in it closes it.
local function due_at(member, count)
  if redis.call('HEXISTS', CLOSING, member) == 1 then return NOW end
  return closes_at(member, opened_at(member), last_at(member), count)
end

-- The lock that a retry leaves behind: nobody's lease, only "not before". Its token carries a minus.
local function is_hold(lock)
  return lock and string.sub(lock, 1, 1) == '-'
end

-- What comes next opens the chat anew.
local function begin_anew(member)
  for _, marks in ipairs({ OPENED, TYPED, CLOSING }) do redis.call('HDEL', marks, member) end
end

local function forget(member)
  redis.call('ZREM', DEADLINES, member)
  begin_anew(member)
end

-- The deadline is the guard: when the worker dies, the chat is due again as the lease ends.
local function renew(member)
  redis.call('PEXPIRE', LOCK .. member, RULES.lease)
  redis.call('ZADD', DEADLINES, NOW + RULES.lease, member)
end

-- Leases a chat whatever its deadline. -> the lease; false when it is empty (then it is forgotten) or in work
local function lease(member, was_due)
  -- pcall: a key that somebody made something else than a list must not stop all other chats
  local items = redis.pcall('LRANGE', ITEMS .. member, 0, RULES.max_items - 1)
  if #items == 0 then
    forget(member)
    return false
  end
  local token = redis.call('INCR', FENCE)
  if not redis.call('SET', LOCK .. member, token, 'PX', RULES.lease, 'NX') then return false end
  local opened, last, due = opened_at(member), last_at(member), was_due or due_at(member, #items)
  local closing = redis.call('HGET', CLOSING, member) or ''
  redis.call('ZADD', DEADLINES, NOW + RULES.lease, member)
  begin_anew(member)
  return { member, token, due, opened, last, items, closing }
end
