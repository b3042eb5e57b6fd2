-- What every script knows about a chat. KEYS are those of core.keys.QueueKeys, in its order.
-- ARGV[1]: {channels = {name = {silence ms, longest ms, max count}}, default = the same, lease = ms, ...}
-- ARGV[2]: the caller's time, Unix ms.
local SOURCE, TAKEN, ITEMS, LAST, LOCK, OPENED, DEADLINES, PENDING, FENCE, DEAD = unpack(KEYS)
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

local function last_at(member)
  return tonumber(redis.pcall('GET', LAST .. member)) or NOW
end

-- The lock that a retry leaves behind: nobody's lease, only "not before". Its token carries a minus.
local function is_hold(lock)
  return lock and string.sub(lock, 1, 1) == '-'
end

local function forget(member)
  redis.call('ZREM', DEADLINES, member)
  redis.call('HDEL', OPENED, member)
end

-- The deadline is the guard: when the worker dies, the chat is due again as the lease ends.
local function renew(member)
  redis.call('PEXPIRE', LOCK .. member, RULES.lease)
  redis.call('ZADD', DEADLINES, NOW + RULES.lease, member)
end

-- Leases a chat whatever its deadline. -> the lease; false when it is empty (then it is forgotten) or in work
local function lease(member, due_at)
  -- pcall: a key that somebody made something else than a list must not stop all other chats
  local items = redis.pcall('LRANGE', ITEMS .. member, 0, RULES.max_items - 1)
  if #items == 0 then
    forget(member)
    return false
  end
  local token = redis.call('INCR', FENCE)
  if not redis.call('SET', LOCK .. member, token, 'PX', RULES.lease, 'NX') then return false end
  local opened, last = opened_at(member), last_at(member)
  redis.call('ZADD', DEADLINES, NOW + RULES.lease, member)
  redis.call('HDEL', OPENED, member)
  return { member, token, due_at or closes_at(member, opened, last, #items), opened, last, items }
end
